#include <ember/core/Shape.h>

#include <algorithm>
#include <cstdlib>

#include <ember/core/Error.h>

namespace ember {

Dims::Dims(std::span<const i64> values) : rank_(checkedRank(values.size())) {
  std::copy(values.begin(), values.end(), values_.begin());
}

void Dims::refuseRank(std::size_t rank) {
  throw ShapeError("shape", "rank " + std::to_string(rank) + " is above the largest supported, 8");
}

void Dims::refuseAxis(int axis) const {
  normalizeAxis(axis, rank_, "size");
  std::abort();  // not reached: it has thrown
}

void Dims::insert(int axis, i64 value) {
  push(value);
  std::rotate(begin() + axis, end() - 1, end());
}

void Dims::erase(int axis) {
  std::copy(begin() + axis + 1, end(), begin() + axis);
  --rank_;
}

std::string toString(const Dims& dims) {
  std::string text = "[";
  for (int i = 0; i < dims.rank(); ++i) {
    if (i > 0) text += ", ";
    text += std::to_string(dims[i]);
  }
  return text + "]";
}

i64 numel(const Shape& shape) {
  i64 count = 1;
  bool overflow = false, empty = false;
  for (const i64 size : shape) {
    if (size < 0) throw ShapeError("shape", "negative size " + std::to_string(size) + " in " + toString(shape));
    empty = empty || size == 0;
    overflow = __builtin_mul_overflow(count, size, &count) || overflow;
  }
  if (empty) return 0;  // however large the rest
  if (overflow) throw ShapeError("shape", "the number of elements of " + toString(shape) + " overflows 63 bits");
  return count;
}

i64 checkedMul(i64 a, i64 b) {
  i64 result = 0;
  if (__builtin_mul_overflow(a, b, &result)) {
    throw ShapeError("size", std::to_string(a) + " x " + std::to_string(b) + " overflows 63 bits");
  }
  return result;
}

i64 checkedAdd(i64 a, i64 b) {
  i64 result = 0;
  if (__builtin_add_overflow(a, b, &result)) {
    throw ShapeError("size", std::to_string(a) + " + " + std::to_string(b) + " overflows 63 bits");
  }
  return result;
}

int normalizeAxis(int axis, int rank, const char* op) {
  const int position = axis < 0 ? axis + rank : axis;
  if (position < 0 || position >= rank) {
    throw ShapeError(op, "axis " + std::to_string(axis) + " is outside rank " + std::to_string(rank), {},
                     rank == 0 ? "a scalar has no axes"
                               : "axes run from " + std::to_string(-rank) + " to " + std::to_string(rank - 1));
  }
  return position;
}

Shape broadcastShapes(const Shape& a, const Shape& b, const char* op) {
  const int rank = std::max(a.rank(), b.rank());
  Shape result = Shape::filled(rank, 1);
  for (int i = 0; i < rank; ++i) {  // from the last axis backwards
    const i64 sizeA = i < a.rank() ? a[a.rank() - 1 - i] : 1;
    const i64 sizeB = i < b.rank() ? b[b.rank() - 1 - i] : 1;
    if (sizeA != sizeB && sizeA != 1 && sizeB != 1) {
      throw ShapeError(op,
                       "cannot broadcast " + toString(a) + " with " + toString(b) + ": sizes " + std::to_string(sizeA) +
                           " and " + std::to_string(sizeB) + " differ at axis " + std::to_string(rank - 1 - i),
                       {}, "sizes must be equal or 1, counted from the last axis");
    }
    result[rank - 1 - i] = sizeA == 1 ? sizeB : sizeA;
  }
  return result;
}

}  // namespace ember
