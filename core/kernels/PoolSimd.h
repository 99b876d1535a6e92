#pragma once
#include <type_traits>

#include <ember/core/kernels/SimdRun.h>

/// Vectors of channels for the pooling loops. A loop is a lambda that takes the bytes of a vector as a constant:
///
///   withVectors([&](auto bytes) EMBER_SIMD_BODY { using V = Vector<float, bytes>; ... });
namespace ember::core::pooling {

// Wide vectors are passed only to functions that are inlined; g++ warns nevertheless, where they are expanded.
#pragma GCC diagnostic ignored "-Wpsabi"

template <class T, int bytes>
struct Vectors {
  typedef T Aligned __attribute__((vector_size(bytes)));
  typedef T Any __attribute__((vector_size(bytes), aligned(sizeof(T)), may_alias));
};
template <class T, int bytes>
using Vector = typename Vectors<T, bytes>::Aligned;

template <int bytes, class T>
EMBER_INLINE Vector<T, bytes> load(const T* from) {
  return *reinterpret_cast<const typename Vectors<T, bytes>::Any*>(from);
}
template <int bytes, class T>
EMBER_INLINE void store(T* to, const Vector<T, bytes>& v) {
  *reinterpret_cast<typename Vectors<T, bytes>::Any*>(to) = v;
}

namespace {

struct Isas {
  using Baseline = std::integral_constant<int, 16>;
  using Avx2 = std::integral_constant<int, 32>;
  using Avx512 = std::integral_constant<int, 64>;
};

template <class Body>
void withVectors(const Body& body) {
  simd::runOn<Isas>(simd::level(), body);
}

}  // namespace
}  // namespace ember::core::pooling
