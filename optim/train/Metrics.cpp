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

}  // namespace

i64 countCorrect(const Tensor& scores, const Tensor& labels) {
  const NoGrad guard;
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
    if (scores.rank() != 2 || scores.size(0) != labels.size(0)) {
      throw ShapeError("evaluate", "the net gave " + toString(scores.shape()) + " for " + std::to_string(labels.size(0)) + " samples, expected scores [samples, classes]");
    }
    const auto classes = static_cast<std::size_t>(scores.size(1));
    if (result.confusion.empty()) result.confusion.assign(classes, std::vector<i64>(classes, 0));
    lossSum += crossEntropy(scores, labels).item() * static_cast<double>(labels.size(0));
    const std::vector<i64> answers = argmax(scores, 1).toVector<i64>(), truth = labels.toVector<i64>();
    for (std::size_t i = 0; i < truth.size(); ++i) {
      ++result.confusion[static_cast<std::size_t>(truth[i])][static_cast<std::size_t>(answers[i])];
      correct += truth[i] == answers[i] ? 1 : 0;
    }
    result.samples += labels.size(0);
  }
  result.loss = lossSum / static_cast<double>(result.samples);
  result.accuracy = static_cast<double>(correct) / static_cast<double>(result.samples);
  return result;
}

double accuracy(nn::Module& net, const data::Dataset& dataset, i64 batchSize) { return evaluate(net, dataset, batchSize).accuracy; }

}  // namespace ember::optim
