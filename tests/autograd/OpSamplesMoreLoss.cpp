#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Loss.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Softmax.h>

#include "autograd/OpSamples.h"
#include "support/Draw.h"

// The losses beside those of OpSamplesLoss.cpp: every option, and every reduction.

namespace ember::test {
namespace {

/// A call of x and others under each reduction; `make` turns a reduction into the call. Not reduced, the sample may be
/// empty.
template <class Make>
void add(OpRows& rows, const std::string& op, const std::string& name, const Tensors& inputs, Make make,
         const std::vector<int>& constant = {}, const std::vector<int>& batched = {0, 1}) {
  for (const auto& [reduction, word] :
       {std::pair(Reduction::None, "none"), std::pair(Reduction::Mean, "mean"), std::pair(Reduction::Sum, "sum")}) {
    OpSample sample{name + ", " + word, inputs, make(reduction), {}, constant};
    if (reduction == Reduction::None) sample.batched = batched;
    rows[op].samples.push_back(std::move(sample));
  }
}

/// A loss of x and target with options that have a reduction.
template <class Options>
auto of(Tensor (*loss)(const Tensor&, const Tensor&, const Options&), Options options) {
  return [=](Reduction reduction) {
    Options o = options;
    o.reduction = reduction;
    return [=](const Tensors& in) { return loss(in[0], in[1], o); };
  };
}

/// The same with a constant, given in the type of x.
template <class Options>
auto with(Tensor (*loss)(const Tensor&, const Tensor&, const Options&), Options options, Tensor Options::*field,
          const Tensor& constant) {
  return [=](Reduction reduction) {
    Options o = options;
    o.reduction = reduction;
    return [=](const Tensors& in) {
      Options all = o;
      all.*field = in[0].defined() ? constant.to(in[0].dtype()) : constant;
      return loss(in[0], in[1], all);
    };
  };
}

Tensor signs(const char* name, const Shape& shape) {
  const Tensor one = Tensor::ones({}, DType::F64);
  return where(draw(name, shape) > 0, one, -one);
}

void addClassLosses(OpRows& rows) {
  const Tensor weights = draw("weights", {3}, 0.5, 2);
  const Tensor x = draw("scores", {4, 3}, -3, 3), y = integers("labels", {4}, 3);
  const Tensor pictures = draw("pictures", {2, 3, 2, 2}, -3, 3), places = integers("places", {2, 2, 2}, 3);
  add(rows, "nll", "plain", {x, y}, of<NllOptions>(nll, {}));
  add(rows, "nll", "pictures, weights and an ignored class", {pictures, places},
      with<NllOptions>(nll, {.ignoreIndex = 1}, &NllOptions::classWeights, weights));
  add(rows, "multiMargin", "plain", {x, y}, of<MultiMarginOptions>(multiMargin, {}));
  add(rows, "multiMargin", "pictures, squares, weights", {pictures, places},
      with<MultiMarginOptions>(multiMargin, {.p = 2, .margin = 0.7}, &MultiMarginOptions::classWeights, weights));
  add(rows, "crossEntropy", "distributions", {x, softmax(draw("q", {4, 3}), 1)},
      of<CrossEntropyOptions>(crossEntropy, {}));
  add(rows, "crossEntropy", "distributions of pictures, all options", {pictures, softmax(draw("q", {2, 3, 2, 2}), 1)},
      with<CrossEntropyOptions>(crossEntropy, {.labelSmoothing = 0.2}, &CrossEntropyOptions::classWeights, weights));
}

void addBinaryLosses(OpRows& rows) {
  const Shape shape{2, 2, 3};
  const Tensor p = draw("p", shape, 0.1, 0.9), t = draw("t", shape, 0.1, 0.9), x = draw("x", shape);
  const Tensor weight = draw("weight", {2, 1, 1}, 0.5, 2), one = draw("one", {3}, 0.5, 2);
  using Options = BinaryCrossEntropyOptions;
  add(rows, "binaryCrossEntropy", "plain", {p, t}, of<Options>(binaryCrossEntropy, {}));
  add(rows, "binaryCrossEntropy", "weight", {p, t}, with<Options>(binaryCrossEntropy, {}, &Options::weight, one));
  add(rows, "binaryCrossEntropy", "posWeight", {p, t}, with<Options>(binaryCrossEntropy, {}, &Options::posWeight, one));
  add(rows, "binaryCrossEntropyWithLogits", "weight of a sample", {x, t},
      with<Options>(binaryCrossEntropyWithLogits, {}, &Options::weight, weight), {}, {});
  add(rows, "focal", "plain", {x, t}, of<FocalOptions>(focal, {}));
  add(rows, "focal", "less than linear", {x, t}, of<FocalOptions>(focal, {.gamma = 0.5, .alpha = 0.7}));
  const Tensor masks = draw("masks", {2, 3, 2, 2}, 0.1, 0.9), truth = draw("truth", {2, 3, 2, 2}, 0.1, 0.9);
  add(rows, "dice", "squares", {masks, truth}, of<DiceOptions>(dice, {}));
  add(rows, "dice", "values, one axis", {draw("m", {2, 3, 4}, 0.1, 0.9), draw("n", {2, 3, 4}, 0.1, 0.9)},
      of<DiceOptions>(dice, {.smooth = 0.5, .squared = false}));
}

void addRegressionLosses(OpRows& rows) {
  const Tensor x = draw("x", {2, 3, 2}), y = draw("y", {2, 3, 2}), v = draw("v", {2, 3, 2}, 0.2, 2);
  add(rows, "l1", "plain", {x, y}, of<LossOptions>(l1, {}));
  for (const double beta : {1.0, 0.5, 0.0}) {
    add(rows, "smoothL1", "beta " + std::to_string(beta), {x, y}, of<SmoothL1Options>(smoothL1, {.beta = beta}));
  }
  add(rows, "huber", "delta 1", {x, y}, of<HuberOptions>(huber, {}));
  add(rows, "huber", "delta 0.5", {x, y}, of<HuberOptions>(huber, {.delta = 0.5}));
  const Tensor logs = logSoftmax(draw("logs", {3, 4, 2}), 1), p = softmax(draw("p", {3, 4, 2}), 1);
  add(rows, "klDivergence", "plain", {logs, p}, of<KlDivergenceOptions>(klDivergence, {}));
  add(rows, "klDivergence", "log target", {logs, log(p)}, of<KlDivergenceOptions>(klDivergence, {.logTarget = true}));
  rows["klDivergence"].samples.push_back(
      {"batch mean", {logs, p}, [](const Tensors& in) { return klDivergence(in[0], in[1], {.batchMean = true}); }});
  const Tensor counts = draw("counts", {2, 3, 2}, 0.2, 4);
  add(rows, "poissonNll", "log input", {x, counts}, of<PoissonNllOptions>(poissonNll, {}));
  add(rows, "poissonNll", "input, full", {v, counts},
      of<PoissonNllOptions>(poissonNll, {.logInput = false, .full = true, .epsilon = 0.1}));
  for (const bool full : {false, true}) {
    for (const Reduction reduction : {Reduction::None, Reduction::Mean, Reduction::Sum}) {
      OpSample sample{std::string(full ? "full" : "plain") + std::to_string(static_cast<int>(reduction)),
                      {x, y, v},
                      [=](const Tensors& in) {
                        return gaussianNll(in[0], in[1], in[2], {.full = full, .epsilon = 0.3, .reduction = reduction});
                      }};
      if (reduction == Reduction::None) sample.batched = {0, 1, 2};
      rows["gaussianNll"].samples.push_back(std::move(sample));
    }
  }
}

void addMarginLosses(OpRows& rows) {
  const Shape shape{3, 4, 2};
  const Tensor x = draw("x", shape), y = draw("y", shape), t = signs("t", shape), each = signs("each", {3});
  add(rows, "hingeEmbedding", "plain", {x, t}, of<HingeOptions>(hingeEmbedding, {}), {1});
  add(rows, "hingeEmbedding", "margin", {x, t}, of<HingeOptions>(hingeEmbedding, {.margin = 0.4}), {1});
  add(rows, "softMargin", "plain", {x, t}, of<LossOptions>(softMargin, {}), {1});
  const auto three = [](auto loss, double margin) {
    return [=](Reduction reduction) {
      return [=](const Tensors& in) {
        return loss(in[0], in[1], in[2], MarginOptions{.margin = margin, .reduction = reduction});
      };
    };
  };
  for (const double margin : {0.0, 0.4}) {
    const std::string name = "margin " + std::to_string(margin);
    add(rows, "marginRanking", name, {x, y, t}, three(marginRanking, margin), {2}, {0, 1, 2});
    add(rows, "cosineEmbedding", name, {draw("a", {3, 4}), draw("b", {3, 4}), each},
        three(cosineEmbedding, margin - 0.3), {2}, {0, 1, 2});
  }
  rows["cosineEmbedding"].skips[Check::ChannelsLast] = "its operands are [N, D] and [N]";
  for (const int axis : {1, 0, -1}) {
    OpSample sample{"axis " + std::to_string(axis), {x, y}, [=](const Tensors& in) {
                      return cosineSimilarity(in[0], in[1], axis);
                    }};
    if (axis == 1) sample.batched = {0, 1};
    rows["cosineSimilarity"].samples.push_back(std::move(sample));
  }
  rows["cosineSimilarity"].samples.push_back(
      {"epsilon", {x, y}, [](const Tensors& in) { return cosineSimilarity(in[0], in[1], 1, 20); }});
}

}  // namespace

void addMoreLossSamples(OpRows& rows) {
  addClassLosses(rows);
  addBinaryLosses(rows);
  addRegressionLosses(rows);
  addMarginLosses(rows);
}

}  // namespace ember::test
