#include "nn/GoldenLayers.h"

#include <doctest/doctest.h>

#include "support/GoldenState.h"

namespace ember::test {

void checkRun(nn::Module& module, const Json& c, DType dtype, const Tolerance& tolerance) {
  module.zeroGrad();
  Tensor x = tensorOf(c.at("x"), dtype);
  if (isFloating(x.dtype())) x.setRequiresGrad();
  const Tensor y = module(x);
  CHECK_CLOSE(y, tensorOf(c.at("y")), tolerance, "output");
  y.backward({.gradient = tensorOf(c.at("yGradient"), dtype)});
  if (x.requiresGrad()) CHECK_CLOSE(x.grad(), tensorOf(c.at("xGradient")), tolerance, "gradient of the input");
  for (const nn::Parameter& p : module.namedParameters()) {
    CHECK_CLOSE(p.tensor.grad(), tensorOf(c.at("gradients").at(p.name)), tolerance, "gradient of " << p.name);
  }
}

void checkLayers(const std::string& family, const Makers& makers) {
  std::size_t found = 0;
  for (const Json& c : golden(family)) {
    for (const DType dtype : {DType::F64, DType::F32}) {
      const std::string where = c.at("name").get<std::string>() + " " + std::string(name(dtype));
      CAPTURE(where);
      const auto entry = makers.find(c.at("name").get<std::string>());
      REQUIRE(entry != makers.end());
      const auto module = entry->second();
      module->to(dtype);
      if (c.contains("training")) module->train(c.at("training").get<bool>());
      if (c.contains("state"))
        REQUIRE(loadState(*module, c.at("state")) == "");
      else
        CHECK(module->namedParameters().empty());
      checkRun(*module, c, dtype, toleranceOf(dtype));
      if (c.contains("stateAfter")) CHECK(stateDifference(*module, c.at("stateAfter"), toleranceOf(dtype)) == "");
    }
    ++found;
  }
  CHECK(found == makers.size());
}

}  // namespace ember::test
