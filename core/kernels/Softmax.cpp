#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

#include <ember/core/Error.h>
#include <ember/core/kernels/Reduce.h>
#include <ember/core/kernels/LoopNest.h>

namespace ember::core {
namespace {

// One row: subtract the maximum, so that no exponential overflows; the sum runs in f64.
template <class T> void softmaxRow(T* out, const T* in, i64 size, i64 outStride, i64 inStride, bool logarithm) {
  T top = -std::numeric_limits<T>::infinity();
  for (i64 i = 0; i < size; ++i) top = in[i * inStride] > top ? in[i * inStride] : top;
  double sum = 0;
  for (i64 i = 0; i < size; ++i) {
    const T e = std::exp(in[i * inStride] - top);
    sum += static_cast<double>(e);
    if (!logarithm) out[i * outStride] = e;
  }
  if (logarithm) {
    const T shift = static_cast<T>(std::log(sum));
    for (i64 i = 0; i < size; ++i) out[i * outStride] = in[i * inStride] - top - shift;
  } else {
    const T scale = static_cast<T>(1 / sum);
    for (i64 i = 0; i < size; ++i) out[i * outStride] *= scale;
  }
}

NDArray softmaxAlong(const NDArray& x, int axis, bool logarithm, const char* op) {
  axis = normalizeAxis(axis, x.rank(), op);
  if (x.dtype() != DType::F32 && x.dtype() != DType::F64) {
    throw DtypeError(op, "x is " + std::string(name(x.dtype())) + ", expected f32 or f64", {}, "convert it with to(DType::F32)");
  }
  NDArray y = NDArray::emptyLike(x);
  const i64 size = x.shape()[axis], outStride = y.strides()[axis], inStride = x.strides()[axis];
  if (y.numel() == 0) return y;
  Shape rows = x.shape();
  rows[axis] = 1;
  const auto nest = makeLoopNest<2>(rows, {y.strides(), x.strides()});
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      T* out = y.data<T>();
      const T* in = x.data<T>();
      forEachRow(nest, [&](const auto& offsets, i64 count, const auto& strides) {
        for (i64 k = 0; k < count; ++k) {
          softmaxRow(out + offsets[0] + k * strides[0], in + offsets[1] + k * strides[1], size, outStride, inStride, logarithm);
        }
      });
    }
  });
  return y;
}

}  // namespace

NDArray softmax(const NDArray& x, int axis) { return softmaxAlong(x, axis, false, "softmax"); }
NDArray logSoftmax(const NDArray& x, int axis) { return softmaxAlong(x, axis, true, "logSoftmax"); }

}  // namespace ember::core
