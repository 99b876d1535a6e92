// What changes sizes, against the numbers that PyTorch gives (tests/golden/generate_resize.py).
#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>

#include "autograd/GoldenCalls.h"

using namespace ember;
using namespace ember::test;

namespace {

Calls paddingCalls() {
  Calls calls;
  const auto modeOf = [](const Json& o) { return padMode(o.at("mode").get<std::string>()); };
  calls["padMode"] = [=](const Tensors& in, const Json& o) {
    return Tensors{pad(in[0], sizesOf(o.at("before")), sizesOf(o.at("after")), modeOf(o))};
  };
  calls["convPadded"] = [=](const Tensors& in, const Json& o) {
    return Tensors{convND(in[0].rank() - 2, in[0], in[1], {},
                          {.stride = sizesOf(o.at("stride")),
                           .padding = Padding::sides(sizesOf(o.at("before")), sizesOf(o.at("after"))),
                           .paddingMode = modeOf(o)})};
  };
  calls["convSame"] = [](const Tensors& in, const Json& o) {
    return Tensors{convND(in[0].rank() - 2, in[0], in[1], {},
                          {.stride = sizesOf(o.at("stride")),
                           .padding = Padding::Same,
                           .dilation = sizesOf(o.at("dilation"))})};
  };
  return calls;
}

Calls transposedCalls() {
  Calls calls;
  for (int spatial = 1; spatial <= 3; ++spatial) {
    calls["convTranspose" + std::to_string(spatial) + "d"] = [=](const Tensors& in, const Json& o) {
      return Tensors{convTransposeND(spatial, in[0], in[1], in.size() > 2 ? in[2] : Tensor(),
                                     {.stride = sizesOf(o.at("stride")),
                                      .padding = sizesOf(o.at("padding")),
                                      .outputPadding = sizesOf(o.at("outputPadding")),
                                      .dilation = sizesOf(o.at("dilation")),
                                      .groups = o.at("groups").get<i64>()})};
    };
  }
  return calls;
}

PoolOptions poolOf(const Json& o) {
  return {.kernel = sizesOf(o.at("kernel")),
          .stride = sizesOf(o.at("stride")),
          .padding = sizesOf(o.at("padding")),
          .dilation = sizesOf(o.at("dilation")),
          .ceilMode = o.at("ceilMode").get<bool>(),
          .countIncludePad = o.value("countIncludePad", true),
          .divisorOverride = o.value("divisor", i64{0})};
}

Calls poolCalls() {
  Calls calls;
  for (int spatial = 1; spatial <= 3; ++spatial) {
    const std::string suffix = std::to_string(spatial) + "d";
    calls["maxPool" + suffix + "WithIndices"] = [=](const Tensors& in, const Json& o) {
      const PoolWithIndices both = maxPoolNDWithIndices(spatial, in[0], poolOf(o));
      return Tensors{both.y, both.indices};
    };
    calls["avgPool" + suffix] = [=](const Tensors& in, const Json& o) {
      return Tensors{avgPoolND(spatial, in[0], poolOf(o))};
    };
    calls["lpPool" + suffix] = [=](const Tensors& in, const Json& o) {
      return Tensors{lpPoolND(spatial, in[0], o.at("p").get<double>(), poolOf(o))};
    };
    calls["adaptiveAvgPool" + suffix] = [=](const Tensors& in, const Json& o) {
      return Tensors{adaptiveAvgPoolND(spatial, in[0], sizesOf(o.at("size")))};
    };
    calls["adaptiveMaxPool" + suffix] = [=](const Tensors& in, const Json& o) {
      const PoolWithIndices both = adaptiveMaxPoolNDWithIndices(spatial, in[0], sizesOf(o.at("size")));
      return Tensors{both.y, both.indices};
    };
    calls["maxUnpool" + suffix] = [=](const Tensors& in, const Json& o) {
      return Tensors{maxUnpoolND(spatial, in[0], in[1], sizesOf(o.at("size")))};
    };
  }
  calls["globalMaxPool"] = [](const Tensors& in, const Json&) { return Tensors{globalMaxPool(in[0])}; };
  return calls;
}

Calls resizeCalls() {
  Calls calls;
  calls["interpolate"] = [](const Tensors& in, const Json& o) {
    InterpolateOptions options{.scale = o.at("scale").get<std::vector<double>>(),
                               .mode = interpolation(o.at("mode").get<std::string>()),
                               .alignCorners = o.at("alignCorners").get<bool>()};
    if (!o.at("size").empty()) options.size = sizesOf(o.at("size"));
    return Tensors{interpolate(in[0], options)};
  };
  calls["pixelShuffle"] = [](const Tensors& in, const Json& o) {
    return Tensors{pixelShuffle(in[0], o.at("factor").get<i64>())};
  };
  calls["pixelUnshuffle"] = [](const Tensors& in, const Json& o) {
    return Tensors{pixelUnshuffle(in[0], o.at("factor").get<i64>())};
  };
  return calls;
}

}  // namespace

TEST_CASE("padding of other sides and modes, in convolutions too, agrees with PyTorch") {
  checkFamily("padding", paddingCalls());
}
TEST_CASE("transposed convolutions agree with PyTorch") { checkFamily("transposed", transposedCalls()); }
TEST_CASE("pools with indices, holes, a last window beyond the end, and into bins agree with PyTorch") {
  checkFamily("pools", poolCalls());
}
TEST_CASE("interpolation and shuffles of pixels agree with PyTorch") { checkFamily("resize", resizeCalls()); }
