#include <algorithm>
#include <array>
#include <type_traits>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/DenseAxis.h>
#include <ember/core/kernels/Reduce.h>
#include <ember/core/kernels/Strided.h>

namespace ember::core {
namespace {

/// First maximum of each column of [size, inner] for `columns` adjacent columns; the first NaN is the largest of all.
template <class T> void argmaxColumns(i64* out, const T* x, i64 size, i64 inner, i64 columns) {
  std::array<T, 64> best;
  std::copy_n(x, columns, best.begin());
  std::fill_n(out, columns, i64{0});
  for (i64 i = 1; i < size; ++i) {
    const T* row = x + i * inner;
    for (i64 c = 0; c < columns; ++c) {
      const T top = best[static_cast<std::size_t>(c)];
      const bool wins = (row[c] > top) | ((row[c] != row[c]) & (top == top));
      best[static_cast<std::size_t>(c)] = wins ? row[c] : top;
      out[c] = wins ? i : out[c];
    }
  }
}

template <class T> void argmaxAlong(i64* out, const T* x, const DenseAxis& along) {
  constexpr i64 widest = 64;
  const i64 chunks = (along.inner + widest - 1) / widest;
  const i64 unitElements = along.size * std::min(widest, along.inner);
  parallelFor(along.outer * chunks, std::max<i64>(1, elementwiseGrain / unitElements), [&](i64 begin, i64 end) {
    for (i64 unit = begin; unit < end; ++unit) {
      const i64 outer = unit / chunks, column = unit % chunks * widest;
      argmaxColumns(out + outer * along.inner + column, x + outer * along.size * along.inner + column, along.size, along.inner,
                    std::min(widest, along.inner - column));
    }
  });
}

}  // namespace

NDArray argmax(const NDArray& x, int axis, bool keepDims) {
  axis = normalizeAxis(axis, x.rank(), "argmax");
  if (x.dtype() == DType::BF16) return argmax(x.to(DType::F32), axis, keepDims);
  Shape shape = x.shape();
  shape[axis] = 1;
  const NDArray in = denseOf(x);
  NDArray out = NDArray::empty(shape, DType::I64, in.order());
  if (x.numel() == 0 && out.numel() > 0) {
    throw ValueError("argmax", "a maximum over 0 elements", {{"x", toString(x.shape())}},
                     "leave the empty axis out, or check numel() first");
  }
  if (x.numel() > 0) {
    dispatch(in.dtype(), [&](auto zero) {
      using T = decltype(zero);
      if constexpr (!std::is_same_v<T, bf16>) argmaxAlong(out.data<i64>(), in.data<T>(), DenseAxis(in, axis));
    });
  }
  return keepDims ? out : out.contiguous().squeeze(axis);
}

}  // namespace ember::core
