#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <ember/autograd/Tensor.h>

/// How far two tensors are apart, for tests whose tolerances are relative to the whole tensor.
namespace ember::test {

using Values = std::vector<double>;

inline Values valuesOf(const Tensor& t) { return t.toVector<double>(); }

inline double largest(const Values& values) {
  double result = 0;
  for (const double v : values) result = std::max(result, std::abs(v));
  return result;
}
inline double largest(const Tensor& t) { return largest(valuesOf(t)); }

inline bool allFinite(const Tensor& t) {
  const Values values = valuesOf(t);
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

/// Largest |actual - expected| relative to the largest |expected| (or to `scale`, where terms of that size cancel);
/// infinite where anything is not finite or the numbers of elements differ.
inline double relativeError(const Tensor& actual, const Values& expected, double scale = 0) {
  const Values values = valuesOf(actual);
  if (values.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) return std::numeric_limits<double>::infinity();
    worst = std::max(worst, std::abs(values[i] - expected[i]));
  }
  return worst == 0 ? 0 : worst / std::max(largest(expected), scale);
}
inline double relativeError(const Tensor& actual, const Tensor& expected, double scale = 0) {
  return relativeError(actual, valuesOf(expected), scale);
}

}  // namespace ember::test
