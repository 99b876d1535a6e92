// Every op against the numbers that PyTorch gives (tests/golden/generate_ops.py, generate_spatial.py,
// generate_losses.py).
#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>

#include "autograd/GoldenCalls.h"

using namespace ember;
using namespace ember::test;

namespace {

void addShapeOps(Calls& calls) {
  calls["reshape"] = [](const Tensors& in, const Json& o) { return Tensors{reshape(in[0], shapeOf(o.at("shape")))}; };
  calls["reshapeOfPermuted"] = [](const Tensors& in, const Json& o) {
    return Tensors{reshape(permute(in[0], intsOf(o.at("axes"))), shapeOf(o.at("shape")))};
  };
  calls["flatten"] = [](const Tensors& in, const Json& o) {
    return Tensors{flatten(in[0], o.at("first").get<int>(), o.at("last").get<int>())};
  };
  calls["permute"] = [](const Tensors& in, const Json& o) { return Tensors{permute(in[0], intsOf(o.at("axes")))}; };
  calls["transpose"] = [](const Tensors& in, const Json& o) {
    return Tensors{transpose(in[0], o.at("a").get<int>(), o.at("b").get<int>())};
  };
  calls["slice"] = [](const Tensors& in, const Json& o) {
    return Tensors{slice(in[0], o.at("axis").get<int>(), o.at("start").get<i64>(), o.at("stop").get<i64>(),
                         o.at("step").get<i64>())};
  };
  calls["select"] = [](const Tensors& in, const Json& o) {
    return Tensors{select(in[0], o.at("axis").get<int>(), o.at("index").get<i64>())};
  };
  calls["unsqueeze"] = onAxis(unsqueeze);
  calls["squeeze"] = onAxis(squeeze);
  calls["expand"] = [](const Tensors& in, const Json& o) { return Tensors{expand(in[0], shapeOf(o.at("shape")))}; };
  calls["concat"] = [](const Tensors& in, const Json& o) { return Tensors{concat(in, o.at("axis").get<int>())}; };
  calls["stack"] = [](const Tensors& in, const Json& o) { return Tensors{stack(in, o.at("axis").get<int>())}; };
  calls["pad"] = [](const Tensors& in, const Json& o) {
    return Tensors{pad(in[0], sizesOf(o.at("before")), sizesOf(o.at("after")), o.at("value").get<double>())};
  };
}

void addReductions(Calls& calls) {
  calls["sum"] = overAxes(sum);
  calls["mean"] = overAxes(mean);
  calls["amax"] = overAxes(amax);
  calls["amin"] = overAxes(amin);
  calls["var"] = [](const Tensors& in, const Json& o) {
    return Tensors{var(in[0], intsOf(o.at("axes")), o.at("keepDims").get<bool>(), o.at("correction").get<int>())};
  };
  calls["argmax"] = [](const Tensors& in, const Json& o) {
    return Tensors{argmax(in[0], o.at("axis").get<int>(), o.at("keepDims").get<bool>())};
  };
  calls["sumTo"] = [](const Tensors& in, const Json& o) { return Tensors{sumTo(in[0], shapeOf(o.at("shape")))}; };
}

void addElementwise(Calls& calls) {
  calls["add"] = two(add);
  calls["sub"] = two(sub);
  calls["mul"] = two(mul);
  calls["div"] = two(div);
  calls["neg"] = one(neg);
  calls["maximum"] = two(maximum);
  calls["minimum"] = two(minimum);
  calls["equal"] = two(equal);
  calls["notEqual"] = two(notEqual);
  calls["less"] = two(less);
  calls["lessEqual"] = two(lessEqual);
  calls["greater"] = two(greater);
  calls["greaterEqual"] = two(greaterEqual);
  calls["where"] = [](const Tensors& in, const Json&) { return Tensors{where(in[0], in[1], in[2])}; };
  calls["exp"] = one(exp);
  calls["log"] = one(log);
  calls["sqrt"] = one(sqrt);
  calls["abs"] = one(abs);
  calls["square"] = one(square);
  calls["sin"] = one(sin);
  calls["cos"] = one(cos);
  calls["erf"] = one(erf);
  calls["pow"] = [](const Tensors& in, const Json& o) { return Tensors{pow(in[0], o.at("exponent").get<double>())}; };
  calls["clamp"] = [](const Tensors& in, const Json& o) {
    return Tensors{clamp(in[0], o.at("low").get<double>(), o.at("high").get<double>())};
  };
  calls["relu"] = one(relu);
  calls["leakyRelu"] = [](const Tensors& in, const Json& o) {
    return Tensors{leakyRelu(in[0], o.at("slope").get<double>())};
  };
  calls["sigmoid"] = one(sigmoid);
  calls["tanh"] = one(tanh);
  calls["silu"] = one(silu);
  calls["softplus"] = one(softplus);
  calls["gelu"] = [](const Tensors& in, const Json&) { return Tensors{gelu(in[0])}; };
  calls["geluTanh"] = [](const Tensors& in, const Json&) { return Tensors{gelu(in[0], true)}; };
  calls["softmax"] = onAxis(softmax);
  calls["logSoftmax"] = onAxis(logSoftmax);
}

Tensor optional(const Tensors& in, std::size_t i) { return i < in.size() ? in[i] : Tensor(); }

void addSpatial(Calls& calls) {
  calls["matmul"] = two(matmul);
  calls["linear"] = [](const Tensors& in, const Json&) { return Tensors{linear(in[0], in[1], optional(in, 2))}; };
  for (int spatial = 1; spatial <= 3; ++spatial) {
    const std::string suffix = std::to_string(spatial) + "d";
    calls["conv" + suffix] = [=](const Tensors& in, const Json& o) {
      return Tensors{convND(spatial, in[0], in[1], optional(in, 2),
                            {.stride = sizesOf(o.at("stride")),
                             .padding = sizesOf(o.at("padding")),
                             .dilation = sizesOf(o.at("dilation")),
                             .groups = o.at("groups").get<i64>()})};
    };
    const auto pool = [](const Json& o) {
      return PoolOptions{
          .kernel = sizesOf(o.at("kernel")), .stride = sizesOf(o.at("stride")), .padding = sizesOf(o.at("padding"))};
    };
    calls["maxPool" + suffix] = [=](const Tensors& in, const Json& o) {
      return Tensors{maxPoolND(spatial, in[0], pool(o))};
    };
    calls["avgPool" + suffix] = [=](const Tensors& in, const Json& o) {
      PoolOptions options = pool(o);
      options.countIncludePad = o.at("countIncludePad").get<bool>();
      return Tensors{avgPoolND(spatial, in[0], options)};
    };
  }
  calls["globalAvgPool"] = [](const Tensors& in, const Json&) { return Tensors{globalAvgPool(in[0])}; };
  calls["batchNorm"] = [](const Tensors& in, const Json& o) {
    const Tensor mean = in[1].clone(), var = in[2].clone();
    const Tensor y = batchNorm(in[0], optional(in, 3), optional(in, 4), mean, var,
                               {.training = o.at("training").get<bool>(),
                                .epsilon = o.at("epsilon").get<double>(),
                                .factor = o.at("factor").get<double>()});
    return Tensors{y, mean, var};
  };
}

Reduction reductionOf(const Json& o) {
  const auto word = o.at("reduction").get<std::string>();
  return word == "mean" ? Reduction::Mean : word == "sum" ? Reduction::Sum : Reduction::None;
}

void addLosses(Calls& calls) {
  calls["crossEntropy"] = [](const Tensors& in, const Json& o) {
    CrossEntropyOptions options{.labelSmoothing = o.at("labelSmoothing").get<double>(),
                                .classWeights = optional(in, 2),
                                .reduction = reductionOf(o)};
    if (o.contains("ignoreIndex")) options.ignoreIndex = o.at("ignoreIndex").get<i64>();
    return Tensors{crossEntropy(in[0], in[1], options)};
  };
  calls["mse"] = [](const Tensors& in, const Json& o) {
    return Tensors{mse(in[0], in[1], {.reduction = reductionOf(o)})};
  };
  calls["binaryCrossEntropyWithLogits"] = [](const Tensors& in, const Json& o) {
    return Tensors{
        binaryCrossEntropyWithLogits(in[0], in[1], {.posWeight = optional(in, 2), .reduction = reductionOf(o)})};
  };
}

const Calls& calls() {
  static const Calls all = [] {
    Calls map;
    addShapeOps(map);
    addReductions(map);
    addElementwise(map);
    addSpatial(map);
    addLosses(map);
    return map;
  }();
  return all;
}

}  // namespace

TEST_CASE("elementwise ops agree with PyTorch") { checkFamily("elementwise", calls()); }
TEST_CASE("reductions agree with PyTorch") { checkFamily("reduction", calls()); }
TEST_CASE("ops that move elements agree with PyTorch") { checkFamily("shape", calls()); }
TEST_CASE("matrix products agree with PyTorch") { checkFamily("matmul", calls()); }
TEST_CASE("activations and softmax agree with PyTorch") { checkFamily("activation", calls()); }
TEST_CASE("convolutions agree with PyTorch") { checkFamily("convolution", calls()); }
TEST_CASE("pools agree with PyTorch") { checkFamily("pooling", calls()); }
TEST_CASE("batch norm agrees with PyTorch") { checkFamily("batchNorm", calls()); }
TEST_CASE("losses agree with PyTorch") { checkFamily("losses", calls()); }
