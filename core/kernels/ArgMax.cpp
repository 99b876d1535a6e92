#include <algorithm>
#include <array>
#include <string>
#include <type_traits>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/DenseAxis.h>
#include <ember/core/kernels/Reduce.h>
#include <ember/core/kernels/Strided.h>

namespace ember::core {
namespace {

/// First (or last) extreme of each column of [size, inner] for `columns` adjacent columns; NaN wins over every number.
template <class T> void argColumns(i64* out, const T* x, i64 size, i64 inner, i64 columns, bool least, bool lastOfEqual) {
  std::array<T, 64> best;
  std::copy_n(x, columns, best.begin());
  std::fill_n(out, columns, i64{0});
  for (i64 i = 1; i < size; ++i) {
    const T* row = x + i * inner;
    for (i64 c = 0; c < columns; ++c) {
      const T top = best[static_cast<std::size_t>(c)];
      const bool better = least ? row[c] < top : row[c] > top, nan = row[c] != row[c];
      const bool wins = better | (nan & (lastOfEqual | (top == top))) | (lastOfEqual & (row[c] == top));
      best[static_cast<std::size_t>(c)] = wins ? row[c] : top;
      out[c] = wins ? i : out[c];
    }
  }
}

template <class T> void argAlong(i64* out, const T* x, const DenseAxis& along, bool least, bool lastOfEqual) {
  constexpr i64 widest = 64;
  const i64 chunks = (along.inner + widest - 1) / widest;
  const i64 unitElements = along.size * std::min(widest, along.inner);
  parallelFor(along.outer * chunks, std::max<i64>(1, elementwiseGrain / unitElements), [&](i64 begin, i64 end) {
    for (i64 unit = begin; unit < end; ++unit) {
      const i64 outer = unit / chunks, column = unit % chunks * widest;
      argColumns(out + outer * along.inner + column, x + outer * along.size * along.inner + column, along.size, along.inner,
                 std::min(widest, along.inner - column), least, lastOfEqual);
    }
  });
}

NDArray argExtreme(const NDArray& x, int axis, bool keepDims, bool least, bool lastOfEqual) {
  const char* op = least ? "argmin" : "argmax";
  axis = normalizeAxis(axis, x.rank(), op);
  if (x.dtype() == DType::BF16) return argExtreme(x.to(DType::F32), axis, keepDims, least, lastOfEqual);
  Shape shape = x.shape();
  shape[axis] = 1;
  const NDArray in = denseOf(x);
  NDArray out = NDArray::empty(shape, DType::I64, in.order());
  if (x.numel() == 0 && out.numel() > 0) {
    throw ValueError(op, std::string("a ") + (least ? "minimum" : "maximum") + " over 0 elements", {{"x", toString(x.shape())}},
                     "leave the empty axis out, or check numel() first");
  }
  if (x.numel() > 0) {
    dispatch(in.dtype(), [&](auto zero) {
      using T = decltype(zero);
      if constexpr (!std::is_same_v<T, bf16>) argAlong(out.data<i64>(), in.data<T>(), DenseAxis(in, axis), least, lastOfEqual);
    });
  }
  return keepDims ? out : out.contiguous().squeeze(axis);
}

}  // namespace

NDArray argmax(const NDArray& x, int axis, bool keepDims, bool lastOfEqual) {
  return argExtreme(x, axis, keepDims, false, lastOfEqual);
}

NDArray argmin(const NDArray& x, int axis, bool keepDims, bool lastOfEqual) {
  return argExtreme(x, axis, keepDims, true, lastOfEqual);
}

}  // namespace ember::core
