#include <ember/optim/train/Metrics.h>

#include <ember/autograd/ops/Loss.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>
#include <ember/nn/data/Loader.h>

namespace ember::optim {
namespace {

// Every module back to the mode it was in, whatever way the evaluation ends.
class EvalScope {
 public:
  explicit EvalScope(nn::Module& net) : net_(net) {
    for (const auto& [path, module] : net.namedModules()) modes_.push_back(module->training());
    net.eval();
  }
  ~EvalScope() {
    const auto modules = net_.namedModules();
    // Parents come before children, so each child's own mode is set last.
    for (std::size_t i = 0; i < modules.size(); ++i) modules[i].second->train(modes_[i]);
  }
  EvalScope(const EvalScope&) = delete;
  EvalScope& operator=(const EvalScope&) = delete;

 private:
  nn::Module& net_;
  std::vector<bool> modes_;
};

void checkScores(const char* op, const Tensor& scores, const Tensor& labels) {
  if (scores.rank() == 2 && labels.rank() == 1 && scores.size(0) == labels.size(0)) return;
  throw ShapeError(op, "the net gave " + toString(scores.shape()) + " for labels " + toString(labels.shape()) +
                           ", expected scores [samples, classes] for labels [samples]");
}

}  // namespace

i64 countCorrect(const Tensor& scores, const Tensor& labels) {
  const NoGrad guard;
  checkScores("countCorrect", scores, labels);
  const std::vector<i64> answers = argmax(scores, 1).toVector<i64>(), truth = labels.toVector<i64>();
  i64 correct = 0;
  for (std::size_t i = 0; i < truth.size(); ++i) correct += answers[i] == truth[i] ? 1 : 0;
  return correct;
}

Evaluation evaluate(nn::Module& net, const data::Dataset& dataset, i64 batchSize) {
  const NoGrad guard;
  const EvalScope scope(net);
  Evaluation result;
  double lossSum = 0;
  i64 correct = 0;
  for (const auto& [images, labels] : data::Loader(dataset, {.batchSize = batchSize})) {
    const Tensor scores = net(images);
    checkScores("evaluate", scores, labels);
    const auto classes = static_cast<std::size_t>(scores.size(1));
    if (result.confusion.empty()) result.confusion.assign(classes, std::vector<i64>(classes, 0));
    if (result.confusion.size() != classes) {
      throw ShapeError("evaluate", "the net gave " + std::to_string(classes) + " classes after " +
                                       std::to_string(result.confusion.size()));
    }
    lossSum +=
        crossEntropy(scores, labels, {.reduction = Reduction::Sum}).item();  // refuses labels outside the classes
    const std::vector<i64> answers = argmax(scores, 1).toVector<i64>(), truth = labels.toVector<i64>();
    for (std::size_t i = 0; i < truth.size(); ++i) {
      if (truth[i] < 0) continue;  // ignored
      ++result.confusion[static_cast<std::size_t>(truth[i])][static_cast<std::size_t>(answers[i])];
      correct += truth[i] == answers[i] ? 1 : 0;
      ++result.samples;
    }
  }
  if (result.samples == 0) throw ValueError("evaluate", "no sample has a label");
  result.loss = lossSum / static_cast<double>(result.samples);
  result.accuracy = static_cast<double>(correct) / static_cast<double>(result.samples);
  return result;
}

double accuracy(nn::Module& net, const data::Dataset& dataset, i64 batchSize) {
  return evaluate(net, dataset, batchSize).accuracy;
}

}  // namespace ember::optim
