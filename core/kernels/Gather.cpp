#include <ember/core/kernels/Gather.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/kernels/Strided.h>

namespace ember::core {
namespace {

/// "[1, 0]" for the element number `place` of a shape.
std::string position(const Shape& shape, i64 place) {
  Dims at = Dims::filled(shape.rank(), 0);
  for (int i = shape.rank() - 1; i >= 0; --i) {
    at[i] = place % shape[i];
    place /= shape[i];
  }
  return toString(at);
}

void checkIndex(const Shape& whole, const NDArray& index, int axis, const char* op) {
  if (index.dtype() != DType::I64) {
    throw DtypeError(op, "the index is " + std::string(name(index.dtype())) + ", expected i64", {},
                     "use to(DType::I64)");
  }
  bool fits = whole.rank() == index.rank();
  for (int i = 0; fits && i < whole.rank(); ++i) fits = i == axis || index.shape()[i] <= whole[i];
  if (!fits) {
    throw ShapeError(op,
                     "the index " + toString(index.shape()) + " does not fit into " + toString(whole) +
                         " beside axis " + std::to_string(axis),
                     {}, "it has the same rank, and no larger size on the other axes");
  }
  // What repeats is looked at once.
  NDArray once = index;
  for (int i = 0; i < index.rank(); ++i) {
    if (once.strides()[i] == 0 && once.size(i) > 1) once = once.slice(i, 0, 1);
  }
  once = once.contiguous();
  const i64* value = once.data<i64>();
  for (i64 k = 0; k < once.numel(); ++k) {
    if (value[k] >= 0 && value[k] < whole[axis]) continue;
    throw ValueError(op,
                     "index " + std::to_string(value[k]) + " at " + position(once.shape(), k) + " is outside size " +
                         std::to_string(whole[axis]) + " of axis " + std::to_string(axis),
                     {}, "positions count from 0; they are not counted from the end");
  }
}

/// Calls visit(place in `direct`, place in `indexed`) for elements [begin, end) of the index, whose shape `direct` has.
template <class Visit>
void eachIndexed(const NDArray& index, const NDArray& direct, const NDArray& indexed, int axis, i64 begin, i64 end,
                 Visit&& visit) {
  if (begin == end) return;  // an empty index may have no columns to divide by
  const int last = index.rank() - 1;
  Dims outer = index.shape();
  std::array<Strides, 3> strides{index.strides(), direct.strides(), indexed.strides()};
  const i64 along = strides[2][axis];
  strides[2][axis] = 0;
  const std::array<i64, 3> step{strides[0][last], strides[1][last], strides[2][last]};
  outer.erase(last);
  for (Strides& s : strides) s.erase(last);
  const i64 columns = index.shape()[last];
  Odometer<3> rows(outer, strides, begin / columns);
  const i64* value = index.data<i64>();
  for (i64 k = begin; k < end; rows.next()) {
    const i64 column = k % columns, count = std::min(columns - column, end - k);
    i64 i = rows.offset(0) + column * step[0], d = rows.offset(1) + column * step[1],
        x = rows.offset(2) + column * step[2];
    for (i64 c = 0; c < count; ++c, i += step[0], d += step[1], x += step[2]) visit(d, x + value[i] * along);
    k += count;
  }
}

/// Moves bits: f is called with an unsigned number of the element's size.
template <class F>
void bySize(DType dtype, F&& f) {
  switch (itemSize(dtype)) {
    case 1:
      return f(u8{});
    case 2:
      return f(std::uint16_t{});
    case 4:
      return f(u32{});
    default:
      return f(u64{});
  }
}

}  // namespace

NDArray gather(const NDArray& x, int axis, const NDArray& index, const char* op) {
  axis = normalizeAxis(axis, x.rank(), op);
  checkIndex(x.shape(), index, axis, op);
  const NDArray y = NDArray::empty(index.shape(), x.dtype());
  bySize(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* out = static_cast<T*>(y.raw());
    const T* in = static_cast<const T*>(x.raw());
    parallelFor(y.numel(), elementwiseGrain / 4, [&](i64 begin, i64 end) {
      eachIndexed(index, y, x, axis, begin, end, [=](i64 to, i64 from) { out[to] = in[from]; });
    });
  });
  return y;
}

NDArray scatter(const NDArray& x, int axis, const NDArray& index, const NDArray& source, const char* op) {
  axis = normalizeAxis(axis, x.rank(), op);
  checkIndex(x.shape(), index, axis, op);
  if (source.shape() != index.shape() || source.dtype() != x.dtype()) {
    throw ShapeError(op, "the source is " + describe("", source) + ", the index " + toString(index.shape()),
                     {{"x", describe("", x)}}, "the source has the index's shape and the type of x");
  }
  const NDArray y = x.copy();
  // One thread, here and below: several elements may meet in one place.
  bySize(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* out = static_cast<T*>(y.raw());
    const T* in = static_cast<const T*>(source.raw());
    eachIndexed(index, source, y, axis, 0, index.numel(), [=](i64 from, i64 to) { out[to] = in[from]; });
  });
  return y;
}

NDArray scatterAdd(const NDArray& x, int axis, const NDArray& index, const Shape& shape, const char* op) {
  axis = normalizeAxis(axis, shape.rank(), op);
  checkIndex(shape, index, axis, op);
  if (x.shape() != index.shape()) {
    throw ShapeError(op, "x is " + toString(x.shape()) + ", the index " + toString(index.shape()));
  }
  if (x.dtype() == DType::Bool) throw DtypeError(op, "x is bool, which has no arithmetic", {}, "use to(DType::I64)");
  if (x.dtype() == DType::BF16) return scatterAdd(x.to(DType::F32), axis, index, shape, op).to(DType::BF16);
  const NDArray y = NDArray::zeros(shape, x.dtype());
  const auto run = [&](auto zero) {
    using T = decltype(zero);
    T* out = static_cast<T*>(y.raw());
    const T* in = static_cast<const T*>(x.raw());
    eachIndexed(index, x, y, axis, 0, index.numel(),
                [=](i64 from, i64 to) { out[to] = static_cast<T>(out[to] + in[from]); });
  };
  // Integers wrap, as unsigned ones of their size do.
  if (x.dtype() == DType::F32) {
    run(float{});
  } else if (x.dtype() == DType::F64) {
    run(double{});
  } else {
    bySize(x.dtype(), run);
  }
  return y;
}

NDArray nonZero(const NDArray& x) {
  const std::vector<bool> on = x.toVector<bool>();
  const i64 rank = x.rank();
  std::vector<i64> positions;
  Dims at = Dims::filled(x.rank(), 0);
  i64 count = 0;
  for (const bool here : on) {
    if (here) {
      positions.insert(positions.end(), at.begin(), at.end());
      ++count;
    }
    for (int i = x.rank() - 1; i >= 0; --i) {
      if (++at[i] < x.shape()[i]) break;
      at[i] = 0;
    }
  }
  return NDArray::from<i64>(positions, {count, rank});
}

}  // namespace ember::core
