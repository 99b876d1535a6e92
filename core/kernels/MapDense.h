#pragma once
#include <string>

#include <ember/core/Error.h>
#include <ember/core/NDArray.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/SimdRun.h>
#include <ember/core/kernels/Strided.h>

/// Maps of one operand. They run flat: an operand with gaps or repeats is made dense first, and that copy overwritten.
namespace ember::core {

template <class T, class F> NDArray mapDense(const NDArray& x, F f) {
  const bool dense = x.isDense(MemoryOrder::RowMajor) || x.isDense(MemoryOrder::ChannelsLast);
  const NDArray in = dense ? x : x.contiguous(liesChannelsLast(x) ? MemoryOrder::ChannelsLast : MemoryOrder::RowMajor);
  const NDArray out = dense ? NDArray::emptyLike(x) : in;
  const T* from = in.data<T>();
  T* to = out.data<T>();
  parallelFor(x.numel(), elementwiseGrain, [&](i64 begin, i64 end) {
    simd::runFor<T>([=]() EMBER_SIMD_BODY {
      EMBER_NO_ALIAS for (i64 i = begin; i < end; ++i) to[i] = f(from[i]);
    });
  });
  return out;
}

[[noreturn]] inline void throwUnsupported(const char* op, const NDArray& x, const char* supported) {
  throw DtypeError(op, "x is " + std::string(name(x.dtype())) + ", expected " + supported, {{"x", toString(x.shape())}},
                   "convert it with to(DType::F32)");
}

/// Calls f(zero of the element type) for f32 and f64.
template <class F> NDArray dispatchFloating(const char* op, const NDArray& x, F&& f) {
  if (x.dtype() == DType::F32) return f(float{});
  if (x.dtype() == DType::F64) return f(double{});
  throwUnsupported(op, x, "a floating type");
}

}  // namespace ember::core
