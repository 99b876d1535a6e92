// Activation layers: numbers out of range are refused when the layer is made; the rest is LayerTableTest's.
#include <cmath>
#include <functional>

#include <doctest/doctest.h>
#include <ember/core/Error.h>
#include <ember/nn/layers/Activations.h>

using namespace ember;

namespace {

std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const ValueError& error) {
    return error.headline();
  }
  return "taken";
}

}  // namespace

TEST_CASE("a layer refuses numbers out of range when it is made") {
  CHECK(refusal([] { nn::CELU layer(0); }) == "[celu] ValueError: alpha is 0, and x is divided by it");
  CHECK(refusal([] { nn::ELU layer(std::nan("")); }) == "[elu] ValueError: alpha is nan");
  CHECK(refusal([] { nn::Softplus layer(0); }).starts_with("[softplus] ValueError: beta is 0"));
  CHECK(refusal([] { nn::Softshrink layer(-0.1); }).starts_with("[softshrink] ValueError: lambda is -0.1"));
  CHECK(refusal([] { nn::Hardshrink layer(-0.1); }).starts_with("[hardshrink] ValueError: lambda is -0.1"));
  CHECK(refusal([] { nn::Hardtanh layer(1, 0); }) == "[hardtanh] ValueError: min is 1 and max 0");
  CHECK(refusal([] { nn::Clip layer(1, 0); }) == "[clamp] ValueError: low is 1 and high 0");
  CHECK(refusal([] { nn::Threshold layer(std::nan(""), 0); }) == "[threshold] ValueError: threshold is nan");
  CHECK(refusal([] { nn::PReLU layer(0); }) == "[PReLU] ValueError: 0 channels");
  CHECK(refusal([] { nn::PReLU layer(2, INFINITY); }) == "[PReLU] ValueError: start is inf");
}

TEST_CASE("a clip without bounds is the identity, and its infinities are saved and printed") {
  nn::Clip clip;
  CHECK(clip.toString() == "Clip(-inf, inf)\n");
  const Tensor x = Tensor::of({-1e30, 0, 1e30});
  CHECK(clip(x).toVector<float>() == x.toVector<float>());
}
