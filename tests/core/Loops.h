#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include <ember/core/NDArray.h>
#include <ember/core/Random.h>

/// Plain loops that the kernel tests compare with, and arrays in every memory layout.
namespace ember::test {

/// Uniform in [low, high), the same numbers for the same stream.
inline core::NDArray numbers(const Shape& shape, u64 stream, double low = -2, double high = 2,
                             DType dtype = DType::F32) {
  const random::Key key{7, stream, 0};
  std::vector<double> values(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = low + (high - low) * random::uniform(key, i);
  return core::NDArray::from<double>(values, shape).to(dtype);
}

/// The sum of the products of all pairs of elements, <a, b>.
inline double dot(const core::NDArray& a, const core::NDArray& b) {
  const std::vector<double> left = a.toVector<double>(), right = b.toVector<double>();
  return std::inner_product(left.begin(), left.end(), right.begin(), 0.0);
}

/// The same values in several layouts: row-major, channels last, a transposed one, every second element of a larger
/// array.
inline std::vector<core::NDArray> layouts(const core::NDArray& x) {
  std::vector<core::NDArray> result{x.contiguous()};
  if (x.rank() >= 3) result.push_back(x.contiguous(MemoryOrder::ChannelsLast));
  if (x.rank() >= 2) result.push_back(x.transpose(0, -1).contiguous().transpose(0, -1));
  if (x.rank() >= 1) {
    Shape wide = x.shape();
    wide[x.rank() - 1] *= 2;
    core::NDArray gaps = core::NDArray::full(wide, x.dtype() == DType::Bool ? 1 : 77, x.dtype());
    core::NDArray view = gaps.slice(-1, 0, wide.back(), 2);
    const std::vector<double> values = x.toVector<double>();
    for (i64 i = 0; i < x.numel(); ++i) {
      i64 rest = i, offset = 0;
      for (int axis = x.rank() - 1; axis >= 0; --axis) {
        offset += rest % x.size(axis) * view.strides()[axis];
        rest /= x.size(axis);
      }
      const core::NDArray one = core::NDArray::ofStorage(view.storage(), view.offset() + offset, {}, {}, x.dtype());
      dispatch(x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        if constexpr (std::is_same_v<T, bf16>)
          *one.data<T>() = bf16(static_cast<float>(values[static_cast<std::size_t>(i)]));
        else
          *one.data<T>() = static_cast<T>(values[static_cast<std::size_t>(i)]);
      });
    }
    result.push_back(view);
  }
  return result;
}

/// Position of logical element i of `shape` in an operand that is broadcast to it.
inline std::size_t broadcastPosition(const Shape& shape, const Shape& operand, i64 i) {
  i64 position = 0, step = 1;
  for (int axis = shape.rank() - 1, own = operand.rank() - 1; axis >= 0; --axis, --own) {
    const i64 index = i % shape[axis];
    i /= shape[axis];
    if (own < 0) continue;
    position += operand[own] == 1 ? 0 : index * step;
    step *= operand[own];
  }
  return static_cast<std::size_t>(position);
}

/// f over two broadcast operands, in f64.
inline std::vector<double> pairLoop(const core::NDArray& a, const core::NDArray& b,
                                    const std::function<double(double, double)>& f) {
  const Shape shape = broadcastShapes(a.shape(), b.shape(), "test");
  const std::vector<double> x = a.toVector<double>(), y = b.toVector<double>();
  std::vector<double> result(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < result.size(); ++i) {
    const i64 at = static_cast<i64>(i);
    result[i] = f(x[broadcastPosition(shape, a.shape(), at)], y[broadcastPosition(shape, b.shape(), at)]);
  }
  return result;
}

/// Largest |actual - expected| / (1 + |expected|); infinite where only one is NaN or infinite.
inline double worst(const std::vector<double>& actual, const std::vector<double>& expected) {
  if (actual.size() != expected.size()) return INFINITY;
  double result = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (std::isnan(actual[i]) && std::isnan(expected[i])) continue;
    if (actual[i] == expected[i]) continue;
    const double error = std::abs(actual[i] - expected[i]) / (1 + std::abs(expected[i]));
    result = std::isnan(error) ? INFINITY : std::max(result, error);
  }
  return result;
}

}  // namespace ember::test
