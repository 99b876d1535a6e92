#include "autograd/GoldenCalls.h"

#include <doctest/doctest.h>
#include <ember/core/Error.h>

namespace ember::test {
namespace {

/// Runs a case and compares results and gradients with PyTorch's.
void check(const Json& c, const Calls& calls, DType dtype) {
  const Tolerance tolerance = toleranceOf(dtype);
  const auto call = calls.find(c.at("op").get<std::string>());
  REQUIRE_MESSAGE(call != calls.end(), "no call for " << c.at("op"));
  Tensors inputs;
  std::vector<std::string> names;
  for (const auto& [inputName, value] : c.at("inputs").items()) {
    Tensor t = tensorOf(value, dtype);
    if (c.contains("gradients") && c.at("gradients").contains(inputName)) t.setRequiresGrad();
    inputs.push_back(t);
    names.push_back(inputName);
  }
  const Tensors outputs = call->second(inputs, c.at("options"));
  REQUIRE(outputs.size() == c.at("outputs").size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor expected = tensorOf(c.at("outputs")[i], dtype);
    CHECK(name(outputs[i].dtype()) == name(expected.dtype()));
    // Against the numbers of f64: f32 must not only be consistent but close.
    CHECK_CLOSE(outputs[i], tensorOf(c.at("outputs")[i]), tolerance, "output " << i);
  }
  if (!c.contains("gradients")) return;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Json& upstream = c.at("outputGradients")[i];
    if (!upstream.is_null()) outputs[i].backward({.gradient = tensorOf(upstream, dtype), .retainGraph = true});
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].requiresGrad())
      CHECK_CLOSE(inputs[i].grad(), tensorOf(c.at("gradients").at(names[i])), tolerance, "gradient of " << names[i]);
  }
}

}  // namespace

void checkFamily(const std::string& family, const Calls& calls) {
  for (const Json& c : golden(family)) {
    for (const DType dtype : {DType::F64, DType::F32}) {
      const std::string where = c.at("name").get<std::string>() + " " + std::string(name(dtype));
      CAPTURE(where);
      try {
        check(c, calls, dtype);
      } catch (const Error& error) {
        FAIL_CHECK(where << " threw " << std::string(error.what()));
      }
    }
  }
}

}  // namespace ember::test
