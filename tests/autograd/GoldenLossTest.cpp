// The losses of tests/golden/generate_more_losses.py.
#include <doctest/doctest.h>
#include <ember/autograd/ops/Loss.h>

#include "autograd/GoldenCalls.h"

using namespace ember;
using namespace ember::test;

namespace {

Reduction reductionOf(const Json& o) {
  const auto word = o.at("reduction").get<std::string>();
  return word == "mean" ? Reduction::Mean : word == "sum" ? Reduction::Sum : Reduction::None;
}
double number(const Json& o, const char* name) { return o.at(name).get<double>(); }
bool flag(const Json& o, const char* name) { return o.at(name).get<bool>(); }
Tensor third(const Tensors& in) { return in.size() > 2 ? in[2] : Tensor(); }

Calls calls() {
  Calls all;
  all["crossEntropy"] = [](const Tensors& in, const Json& o) {
    return Tensors{crossEntropy(
        in[0], in[1],
        {.labelSmoothing = number(o, "labelSmoothing"), .classWeights = third(in), .reduction = reductionOf(o)})};
  };
  all["nll"] = [](const Tensors& in, const Json& o) {
    NllOptions options{.classWeights = third(in), .reduction = reductionOf(o)};
    if (o.contains("ignoreIndex")) options.ignoreIndex = o.at("ignoreIndex").get<i64>();
    return Tensors{nll(in[0], in[1], options)};
  };
  all["multiMargin"] = [](const Tensors& in, const Json& o) {
    return Tensors{multiMargin(in[0], in[1],
                               {.p = o.at("p").get<int>(),
                                .margin = number(o, "margin"),
                                .classWeights = third(in),
                                .reduction = reductionOf(o)})};
  };
  all["binaryCrossEntropy"] = [](const Tensors& in, const Json& o) {
    return Tensors{binaryCrossEntropy(in[0], in[1], {.reduction = reductionOf(o), .weight = third(in)})};
  };
  all["binaryCrossEntropyWithLogits"] = [](const Tensors& in, const Json& o) {
    return Tensors{
        binaryCrossEntropyWithLogits(in[0], in[1], {.posWeight = in[3], .reduction = reductionOf(o), .weight = in[2]})};
  };
  all["focal"] = [](const Tensors& in, const Json& o) {
    return Tensors{
        focal(in[0], in[1], {.gamma = number(o, "gamma"), .alpha = number(o, "alpha"), .reduction = reductionOf(o)})};
  };
  all["dice"] = [](const Tensors& in, const Json& o) {
    return Tensors{dice(in[0], in[1],
                        {.smooth = number(o, "smooth"), .squared = flag(o, "squared"), .reduction = reductionOf(o)})};
  };
  all["l1"] = [](const Tensors& in, const Json& o) { return Tensors{l1(in[0], in[1], {.reduction = reductionOf(o)})}; };
  all["smoothL1"] = [](const Tensors& in, const Json& o) {
    return Tensors{smoothL1(in[0], in[1], {.beta = number(o, "beta"), .reduction = reductionOf(o)})};
  };
  all["huber"] = [](const Tensors& in, const Json& o) {
    return Tensors{huber(in[0], in[1], {.delta = number(o, "delta"), .reduction = reductionOf(o)})};
  };
  all["klDivergence"] = [](const Tensors& in, const Json& o) {
    return Tensors{klDivergence(
        in[0], in[1],
        {.logTarget = flag(o, "logTarget"), .reduction = reductionOf(o), .batchMean = flag(o, "batchMean")})};
  };
  all["poissonNll"] = [](const Tensors& in, const Json& o) {
    return Tensors{poissonNll(in[0], in[1],
                              {.logInput = flag(o, "logInput"), .full = flag(o, "full"), .reduction = reductionOf(o)})};
  };
  all["gaussianNll"] = [](const Tensors& in, const Json& o) {
    return Tensors{gaussianNll(in[0], in[1], in[2], {.full = flag(o, "full"), .reduction = reductionOf(o)})};
  };
  all["hingeEmbedding"] = [](const Tensors& in, const Json& o) {
    return Tensors{hingeEmbedding(in[0], in[1], {.margin = number(o, "margin"), .reduction = reductionOf(o)})};
  };
  all["softMargin"] = [](const Tensors& in, const Json& o) {
    return Tensors{softMargin(in[0], in[1], {.reduction = reductionOf(o)})};
  };
  all["marginRanking"] = [](const Tensors& in, const Json& o) {
    return Tensors{marginRanking(in[0], in[1], in[2], {.margin = number(o, "margin"), .reduction = reductionOf(o)})};
  };
  all["cosineSimilarity"] = [](const Tensors& in, const Json& o) {
    return Tensors{cosineSimilarity(in[0], in[1], o.at("axis").get<int>())};
  };
  all["cosineEmbedding"] = [](const Tensors& in, const Json& o) {
    return Tensors{cosineEmbedding(in[0], in[1], in[2], {.margin = number(o, "margin"), .reduction = reductionOf(o)})};
  };
  return all;
}

}  // namespace

TEST_CASE("every other loss agrees with PyTorch") { checkFamily("moreLosses", calls()); }
