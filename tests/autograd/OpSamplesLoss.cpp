#include <ember/autograd/ops/Loss.h>

#include "autograd/OpSamples.h"
#include "support/Draw.h"

// Losses: with every option, reduced to the mean, the sum and not at all.

namespace ember::test {
namespace {

OpSample classes(const char* name, const Shape& logits, const CrossEntropyOptions& options, bool weighted = false) {
  Shape labels = logits;
  labels.erase(1);
  const Tensor weights = weighted ? draw("weights", {logits[1]}, 0.5, 2) : Tensor();
  OpSample sample{
      name, {draw(name, logits, -3, 3), integers(name, labels, logits[1])}, [options, weights](const Tensors& in) {
        CrossEntropyOptions all = options;
        if (weights.defined() && in[0].defined()) all.classWeights = weights.to(in[0].dtype());
        return crossEntropy(in[0], in[1], all);
      }};
  if (options.reduction == Reduction::None) sample.batched = {0, 1};
  return sample;
}

/// x and target of one shape.
template <class Options>
OpSample pair(const char* name, Tensor (*loss)(const Tensor&, const Tensor&, const Options&), const Shape& shape,
              const Options& options) {
  OpSample sample{name, {draw(name, shape), draw("target", shape, 0.1, 0.9)}, [=](const Tensors& in) {
                    return loss(in[0], in[1], options);
                  }};
  if (options.reduction == Reduction::None) sample.batched = {0, 1};
  return sample;
}

}  // namespace

void addLossSamples(OpRows& rows) {
  using enum Reduction;
  rows["crossEntropy"] = {
      {classes("mean", {4, 3}, {}), classes("sum", {4, 3}, {.reduction = Sum}),
       classes("none", {4, 3}, {.reduction = None}), classes("label smoothing", {4, 3}, {.labelSmoothing = 0.1}),
       classes("an ignored class", {6, 3}, {.ignoreIndex = 1}), classes("class weights", {4, 3}, {}, true),
       classes("all options", {6, 3}, {.labelSmoothing = 0.2, .ignoreIndex = 0}, true),
       classes("pictures", {2, 3, 2, 2}, {.labelSmoothing = 0.1, .ignoreIndex = 2}, true),
       classes("pictures, none", {2, 3, 2, 2}, {.reduction = None}, true)}};
  rows["mse"] = {{pair<LossOptions>("mean", mse, {2, 3}, {}), pair<LossOptions>("sum", mse, {2, 3}, {.reduction = Sum}),
                  pair<LossOptions>("none, pictures", mse, {2, 3, 2, 2}, {.reduction = None})}};
  const auto binary = binaryCrossEntropyWithLogits;
  rows["binaryCrossEntropyWithLogits"] = {
      {pair<BinaryCrossEntropyOptions>("mean", binary, {2, 3}, {}),
       pair<BinaryCrossEntropyOptions>("sum", binary, {2, 3}, {.reduction = Sum}),
       pair<BinaryCrossEntropyOptions>("none, pictures", binary, {2, 3, 2, 2}, {.reduction = None})}};
  const Tensor weights = draw("positive", {3}, 0.5, 3);
  rows["binaryCrossEntropyWithLogits"].samples.push_back(
      {"weight of the positive class", {draw("x", {2, 3}), draw("target", {2, 3}, 0.1, 0.9)}, [=](const Tensors& in) {
         return binary(in[0], in[1], {.posWeight = in[0].defined() ? weights.to(in[0].dtype()) : weights});
       }});
}

}  // namespace ember::test
