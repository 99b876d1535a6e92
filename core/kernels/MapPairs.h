#pragma once
#include <string>

#include <ember/core/Error.h>
#include <ember/core/kernels/SimdRun.h>
#include <ember/core/kernels/Strided.h>

/// Maps of two broadcast operands: out = f(a, b) over the loops of Strided.h.
namespace ember::core {

inline void checkSameType(const char* op, const NDArray& a, const NDArray& b, const char* nameA = "a", const char* nameB = "b") {
  if (a.dtype() == b.dtype()) return;
  const std::string typeA(name(a.dtype())), typeB(name(b.dtype()));
  throw DtypeError(op, std::string(nameA) + " is " + typeA + " and " + nameB + " is " + typeB,
                   {{nameA, toString(a.shape())}, {nameB, toString(b.shape())}}, "convert one of them with to()");
}

/// One tile; operand 0 is the result, 1 and 2 are a and b. Rows of unit stride, and a scalar against them, become vector code.
template <class R, class T, class F> void mapTile(const Nest<3>& nest, const Tile<3>& tile, R* out, const T* a, const T* b, F f) {
  const i64 rows = tile.rows, columns = tile.columns;
  const i64 outRow = nest.rowStride(0), aRow = nest.rowStride(1), bRow = nest.rowStride(2);
  const i64 outStep = nest.columnStride(0), aStep = nest.columnStride(1), bStep = nest.columnStride(2);
  R* const firstOut = out + tile.offset[0];
  const T* const firstA = a + tile.offset[1];
  const T* const firstB = b + tile.offset[2];
  simd::runFor<T>([=]() EMBER_SIMD_BODY {
    for (i64 r = 0; r < rows; ++r) {
      R* o = firstOut + r * outRow;
      const T* x = firstA + r * aRow;
      const T* y = firstB + r * bRow;
      if (outStep == 1 && aStep == 1 && bStep == 1) {
        EMBER_NO_ALIAS for (i64 i = 0; i < columns; ++i) o[i] = f(x[i], y[i]);
      } else if (outStep == 1 && aStep == 1 && bStep == 0) {
        const T right = *y;
        EMBER_NO_ALIAS for (i64 i = 0; i < columns; ++i) o[i] = f(x[i], right);
      } else if (outStep == 1 && aStep == 0 && bStep == 1) {
        const T left = *x;
        EMBER_NO_ALIAS for (i64 i = 0; i < columns; ++i) o[i] = f(left, y[i]);
      } else {
        for (i64 i = 0; i < columns; ++i) o[i * outStep] = f(x[i * aStep], y[i * bStep]);
      }
    }
  });
}

/// A new array f(a, b) with elements of type R.
template <class R, class T, class F> NDArray mapPairs(const char* op, const NDArray& a, const NDArray& b, F f) {
  const Shape shape = broadcastShapes(a.shape(), b.shape(), op);
  const MemoryOrder order = resultOrder({&a, &b}, shape.rank());
  const NDArray left = alignedOperand(a, shape, order), right = alignedOperand(b, shape, order);
  NDArray out = NDArray::empty(shape, DTypeOf<R>::value, order);
  const auto nest = makeNest<3>(shape, {out.strides(), broadcastStrides(left, shape), broadcastStrides(right, shape)});
  R* to = out.data<R>();
  const T* x = left.data<T>();
  const T* y = right.data<T>();
  forEachTile(nest, [&](const Tile<3>& tile) { mapTile(nest, tile, to, x, y, f); });
  return out;
}

}  // namespace ember::core
