#pragma once
#include <algorithm>
#include <array>
#include <utility>

#include <ember/core/NDArray.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Strided.h>

namespace ember::core {

inline constexpr i64 elementGrain = elementwiseGrain;

template <int N> struct LoopNest {
  Dims sizes;
  std::array<Strides, N> strides;
};

template <int N> LoopNest<N> makeLoopNest(const Shape& shape, const std::array<Strides, N>& strides) {
  std::array<int, Dims::maxRank> axes{};
  int count = 0;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] != 1) axes[static_cast<std::size_t>(count++)] = i;
  }
  std::stable_sort(axes.begin(), axes.begin() + count, [&](int a, int b) { return strides[0][a] > strides[0][b]; });
  LoopNest<N> nest;
  for (int k = 0; k < count; ++k) {
    const int axis = axes[static_cast<std::size_t>(k)], last = nest.sizes.rank() - 1;
    bool joins = last >= 0;
    for (std::size_t n = 0; n < N && joins; ++n) joins = nest.strides[n][last] == strides[n][axis] * shape[axis];
    if (joins) {
      nest.sizes[last] *= shape[axis];
      for (std::size_t n = 0; n < N; ++n) nest.strides[n][last] = strides[n][axis];
    } else {
      nest.sizes.push(shape[axis]);
      for (std::size_t n = 0; n < N; ++n) nest.strides[n].push(strides[n][axis]);
    }
  }
  if (nest.sizes.empty()) {
    nest.sizes.push(1);
    for (std::size_t n = 0; n < N; ++n) nest.strides[n].push(0);
  }
  return nest;
}

template <int N, class Row> void forEachRow(const LoopNest<N>& nest, Row&& row) {
  const int last = nest.sizes.rank() - 1;
  const i64 inner = nest.sizes[last];
  i64 outer = 1;
  for (int i = 0; i < last; ++i) outer *= nest.sizes[i];
  if (inner == 0 || outer == 0) return;
  std::array<i64, N> innerStrides;
  for (std::size_t n = 0; n < N; ++n) innerStrides[n] = nest.strides[n][last];
  if (outer == 1) {
    parallelFor(inner, elementGrain, [&](i64 begin, i64 end) {
      std::array<i64, N> offsets;
      for (std::size_t n = 0; n < N; ++n) offsets[n] = begin * innerStrides[n];
      row(offsets, end - begin, innerStrides);
    });
    return;
  }
  parallelFor(outer, std::max<i64>(1, elementGrain / inner), [&](i64 begin, i64 end) {
    Dims position = Dims::filled(last, 0);
    std::array<i64, N> offsets{};
    i64 rest = begin;
    for (int i = last - 1; i >= 0; --i) {
      position[i] = rest % nest.sizes[i];
      rest /= nest.sizes[i];
      for (std::size_t n = 0; n < N; ++n) offsets[n] += position[i] * nest.strides[n][i];
    }
    for (i64 k = begin; k < end; ++k) {
      row(offsets, inner, innerStrides);
      for (int i = last - 1; i >= 0; --i) {
        for (std::size_t n = 0; n < N; ++n) offsets[n] += nest.strides[n][i];
        if (++position[i] < nest.sizes[i]) break;
        position[i] = 0;
        for (std::size_t n = 0; n < N; ++n) offsets[n] -= nest.sizes[i] * nest.strides[n][i];
      }
    }
  });
}

}  // namespace ember::core
