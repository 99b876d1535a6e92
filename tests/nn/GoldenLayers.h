#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include <ember/nn/Module.h>

#include "support/Golden.h"

/// Running the golden cases of layers: each family of layers has a file of makers (GoldenTest.cpp,
/// Golden<Family>Test.cpp).
namespace ember::test {

using Make = std::function<std::unique_ptr<nn::Module>()>;
using Makers = std::map<std::string, Make>;  ///< by the name of the case, whose first word is the type

template <class M, class... A>
Make make(A... arguments) {
  return [=] { return std::make_unique<M>(arguments...); };
}

/// One forward and backward of a case: output, gradients of input and parameters.
void checkRun(nn::Module& module, const Json& c, DType dtype, const Tolerance& tolerance);
/// Runs every case of tests/golden/<family>.json in f64 and f32 and compares output, gradients and state with PyTorch's.
void checkLayers(const std::string& family, const Makers& makers);

}  // namespace ember::test
