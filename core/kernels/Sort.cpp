// Every type is sorted as 64-bit keys whose order is that of the values, ties by position: one loop for all.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Sort.h>

namespace ember::core {
namespace {

constexpr u64 signBit = u64{1} << 63;

u64 keyOf(i64 value) { return static_cast<u64>(value) ^ signBit; }

u64 keyOf(double value) {
  if (std::isnan(value)) return std::numeric_limits<u64>::max();
  const u64 bits = std::bit_cast<u64>(value + 0.0);  // -0 becomes 0
  return bits & signBit ? ~bits : bits | signBit;
}

struct Entry {
  u64 key;
  i64 place;
  bool operator<(const Entry& other) const { return key != other.key ? key < other.key : place < other.place; }
};

template <class T>
void sortLines(i64* out, const T* in, i64 lines, i64 size, i64 count, bool descending) {
  parallelFor(lines, std::max<i64>(1, 4096 / size), [=](i64 begin, i64 end) {
    std::vector<Entry> entries(static_cast<std::size_t>(size));
    for (i64 line = begin; line < end; ++line) {
      for (i64 i = 0; i < size; ++i) {
        const u64 key = keyOf(in[line * size + i]);
        entries[static_cast<std::size_t>(i)] = {descending ? ~key : key, i};
      }
      if (count < size) {
        std::partial_sort(entries.begin(), entries.begin() + count, entries.end());
      } else {
        std::sort(entries.begin(), entries.end());
      }
      for (i64 i = 0; i < count; ++i) out[line * count + i] = entries[static_cast<std::size_t>(i)].place;
    }
  });
}

}  // namespace

NDArray argsort(const NDArray& x, int axis, bool descending, i64 count, const char* op) {
  axis = normalizeAxis(axis, x.rank(), op);
  const i64 size = x.size(axis);
  if (count < 0 || count > size) {
    throw ValueError(
        op, std::to_string(count) + " elements of the " + std::to_string(size) + " on axis " + std::to_string(axis),
        {{"x", toString(x.shape())}}, "ask for no more than there are");
  }
  const NDArray lines = x.transpose(axis, -1).to(isFloating(x.dtype()) ? DType::F64 : DType::I64).contiguous();
  Shape shape = lines.shape();
  shape[shape.rank() - 1] = count;
  const NDArray places = NDArray::empty(shape, DType::I64);
  if (places.numel() > 0) {
    const i64 number = lines.numel() / size;
    if (lines.dtype() == DType::F64) {
      sortLines(places.data<i64>(), lines.data<double>(), number, size, count, descending);
    } else {
      sortLines(places.data<i64>(), lines.data<i64>(), number, size, count, descending);
    }
  }
  return places.transpose(axis, -1).contiguous();
}

}  // namespace ember::core
