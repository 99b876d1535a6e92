#pragma once
#include <string>

#include <ember/core/kernels/MapDense.h>
#include <ember/core/kernels/MapPairs.h>

/// The loop under the backwards of elementwise functions.
namespace ember::core {

/// f(dy, at) element by element, f = makeFunction(zero of the element type). Both are brought into one order and run
/// flat: no broadcasting here, so one loop does.
template <class MakeFunction>
NDArray timesSlopeOf(const char* op, const NDArray& dy, const NDArray& at, const MakeFunction& makeFunction) {
  checkSameType(op, dy, at, "dy", "x");
  if (dy.shape() != at.shape()) {
    throw ShapeError(op, "the gradient is " + toString(dy.shape()) + ", the value " + toString(at.shape()));
  }
  const MemoryOrder order = resultOrder({&at, &dy}, dy.rank());
  const NDArray gradient = dy.contiguous(order), value = at.contiguous(order);
  const NDArray out = NDArray::empty(dy.shape(), dy.dtype(), order);
  return dispatchFloating(op, dy, [&](auto zero) {
    using T = decltype(zero);
    const auto f = makeFunction(zero);
    const T *a = gradient.data<T>(), *b = value.data<T>();
    T* to = out.data<T>();
    parallelFor(dy.numel(), elementwiseGrain, [&](i64 begin, i64 end) {
      simd::runFor<T>([=]() EMBER_SIMD_BODY { EMBER_NO_ALIAS for (i64 i = begin; i < end; ++i) to[i] = f(a[i], b[i]); });
    });
    return out;
  });
}

}  // namespace ember::core
