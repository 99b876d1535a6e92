#pragma once
#include <functional>
#include <map>
#include <string>

#include "support/Golden.h"

/// Running the golden cases of ops: each family of ops has a file of calls (GoldenTest.cpp, Golden<Family>Test.cpp).
namespace ember::test {

/// Calls the op of a case: inputs in the order of the file, then its options.
using Call = std::function<Tensors(const Tensors& in, const Json& o)>;
using Calls = std::map<std::string, Call>;  ///< by op name

// Function pointers, because the C library has an exp and a div, too.
inline Call one(Tensor (*f)(const Tensor&)) {
  return [f](const Tensors& in, const Json&) { return Tensors{f(in[0])}; };
}
inline Call two(Tensor (*f)(const Tensor&, const Tensor&)) {
  return [f](const Tensors& in, const Json&) { return Tensors{f(in[0], in[1])}; };
}
template <class F>
Call onAxis(F f) {
  return [f](const Tensors& in, const Json& o) { return Tensors{f(in[0], o.at("axis").get<int>())}; };
}
template <class F>
Call overAxes(F f) {
  return [f](const Tensors& in, const Json& o) {
    return Tensors{f(in[0], intsOf(o.at("axes")), o.at("keepDims").get<bool>())};
  };
}

/// Runs every case of tests/golden/<family>.json in f64 and f32 and compares results and gradients with PyTorch's.
void checkFamily(const std::string& family, const Calls& calls);

}  // namespace ember::test
