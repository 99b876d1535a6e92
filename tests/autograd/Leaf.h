#pragma once
#include <initializer_list>
#include <vector>

#include <ember/autograd/Tensor.h>

namespace ember::test {

using Values = std::vector<double>;

/// [n] in f64 that requires a gradient.
inline Tensor leaf(std::initializer_list<double> values) {
  return Tensor::of(values, DType::F64).setRequiresGrad();
}
inline Values valuesOf(const Tensor& t) { return t.toVector<double>(); }

}  // namespace ember::test
