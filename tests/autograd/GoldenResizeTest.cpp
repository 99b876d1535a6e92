// What changes sizes, against the numbers that PyTorch gives (tests/golden/generate_resize.py).
#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>

#include "autograd/GoldenCalls.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor padCase(const Tensors& in, const Json& o) {
  return pad(in[0], sizesOf(o.at("before")), sizesOf(o.at("after")), padMode(o.at("mode").get<std::string>()));
}

}  // namespace

TEST_CASE("padding with what lies inside agrees with PyTorch") {
  checkFamily("padding", {{"padMode", [](const Tensors& in, const Json& o) { return Tensors{padCase(in, o)}; }}});
}
