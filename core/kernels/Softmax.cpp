// The maximum is taken out first, so that no exponential overflows; sums run in f64.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/DenseAxis.h>
#include <ember/core/kernels/Fold.h>
#include <ember/core/kernels/MapDense.h>
#include <ember/core/kernels/Reduce.h>
#include <ember/core/kernels/VectorMath.h>

namespace ember::core {
namespace {

/// Adjacent elements of one row.
template <class T> EMBER_INLINE void softmaxRow(T* out, const T* in, i64 size, bool logarithm) {
  const T top = foldRun<MaxFold<T>>(in, size, 1);
  EMBER_NO_ALIAS for (i64 i = 0; i < size; ++i) out[i] = vmath::exp(in[i] - top);
  const double sum = foldRun<SumFold<T>>(out, size, 1);
  if (logarithm) {
    const T shift = static_cast<T>(std::log(sum));
    EMBER_NO_ALIAS for (i64 i = 0; i < size; ++i) out[i] = in[i] - top - shift;
  } else {
    const T scale = static_cast<T>(1 / sum);
    EMBER_NO_ALIAS for (i64 i = 0; i < size; ++i) out[i] *= scale;
  }
}

constexpr i64 widest = 64;

/// `columns` adjacent columns of [size, inner], each a softmax of its own.
template <class T> EMBER_INLINE void softmaxColumns(T* out, const T* in, i64 size, i64 inner, i64 columns, bool logarithm) {
  T top[widest];
  double sum[widest];
  for (i64 c = 0; c < columns; ++c) {
    top[c] = in[c];
    sum[c] = 0;
  }
  for (i64 i = 1; i < size; ++i) {
    EMBER_NO_ALIAS for (i64 c = 0; c < columns; ++c) top[c] = MaxFold<T>::step(top[c], in[i * inner + c]);
  }
  for (i64 i = 0; i < size; ++i) {
    EMBER_NO_ALIAS for (i64 c = 0; c < columns; ++c) {
      const T e = vmath::exp(in[i * inner + c] - top[c]);
      out[i * inner + c] = e;
      sum[c] += static_cast<double>(e);
    }
  }
  T factor[widest];
  for (i64 c = 0; c < columns; ++c) factor[c] = static_cast<T>(logarithm ? std::log(sum[c]) : 1 / sum[c]);
  for (i64 i = 0; i < size; ++i) {
    T* to = out + i * inner;
    const T* from = in + i * inner;
    if (logarithm) {
      EMBER_NO_ALIAS for (i64 c = 0; c < columns; ++c) to[c] = from[c] - top[c] - factor[c];
    } else {
      EMBER_NO_ALIAS for (i64 c = 0; c < columns; ++c) to[c] *= factor[c];
    }
  }
}

template <class T> NDArray softmaxAlong(const NDArray& x, int axis, bool logarithm) {
  const NDArray from = denseOf(x);
  const NDArray y = NDArray::emptyLike(from);
  if (x.numel() == 0) return y;
  const DenseAxis along(from, axis);
  T* out = y.data<T>();
  const T* in = from.data<T>();
  const i64 chunks = (along.inner + widest - 1) / widest, unitElements = along.size * std::min(widest, along.inner);
  // An exponential costs as much as eight plain elements.
  parallelFor(along.outer * chunks, std::max<i64>(1, elementwiseGrain / 8 / unitElements), [&](i64 begin, i64 end) {
    simd::runFor<T>([=]() EMBER_SIMD_BODY {
      for (i64 unit = begin; unit < end; ++unit) {
        const i64 column = unit % chunks * widest, offset = unit / chunks * along.size * along.inner + column;
        if (along.inner == 1) {
          softmaxRow(out + offset, in + offset, along.size, logarithm);
        } else {
          softmaxColumns(out + offset, in + offset, along.size, along.inner, std::min(widest, along.inner - column), logarithm);
        }
      }
    });
  });
  return y;
}

NDArray softmaxOf(const char* op, const NDArray& x, int axis, bool logarithm) {
  axis = normalizeAxis(axis, x.rank(), op);
  return dispatchFloating(op, x, [&](auto zero) { return softmaxAlong<decltype(zero)>(x, axis, logarithm); });
}

}  // namespace

NDArray softmax(const NDArray& x, int axis) { return softmaxOf("softmax", x, axis, false); }
NDArray logSoftmax(const NDArray& x, int axis) { return softmaxOf("logSoftmax", x, axis, true); }

}  // namespace ember::core
