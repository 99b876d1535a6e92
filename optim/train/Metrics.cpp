#include <ember/optim/train/Metrics.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <ember/autograd/ops/Loss.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>
#include <ember/nn/data/Loader.h>

namespace ember::optim {
namespace {

// Every module back to the mode it was in, whatever way the evaluation ends.
class EvalScope {
 public:
  explicit EvalScope(nn::Module& net) {
    for (const auto& entry : net.namedModules()) modes_.emplace_back(entry.second, entry.second->training());
    net.eval();
  }
  ~EvalScope() {
    // Parents come before children, so each child's own mode is set last.
    for (const auto& mode : modes_) mode.first->train(mode.second);
  }
  EvalScope(const EvalScope&) = delete;
  EvalScope& operator=(const EvalScope&) = delete;

 private:
  std::vector<std::pair<nn::Module*, bool>> modes_;
};

void checkScores(const char* op, const Tensor& scores, const Tensor& labels) {
  if (scores.rank() == 2 && labels.rank() == 1 && scores.size(0) == labels.size(0)) return;
  throw ShapeError(op, "the net gave " + toString(scores.shape()) + " for labels " + toString(labels.shape()) +
                           ", expected scores [samples, classes] for labels [samples]");
}

constexpr i64 ignored = -100;  // what crossEntropy ignores

// Targets of a loss of the user's own may be anything: numbers, masks, or i64 that stand for no class.
bool areClasses(const Tensor& scores, const Tensor& labels) {
  if (scores.rank() != 2 || labels.rank() != 1 || labels.dtype() != DType::I64) return false;
  const i64 classes = scores.size(1);
  if (scores.size(0) != labels.size(0) || classes < 2) return false;
  const std::vector<i64> truth = labels.toVector<i64>();
  return std::all_of(truth.begin(), truth.end(), [&](i64 t) { return t == ignored || (t >= 0 && t < classes); });
}

// Adds one batch to confusion matrix and samples; how many of its answers are right.
i64 countAnswers(const Tensor& scores, const Tensor& labels, Evaluation& result) {
  const auto classes = static_cast<std::size_t>(scores.size(1));
  if (result.confusion.empty()) result.confusion.assign(classes, std::vector<i64>(classes, 0));
  if (result.confusion.size() != classes) {
    throw ShapeError("evaluate", "the net gave " + std::to_string(classes) + " classes after " +
                                     std::to_string(result.confusion.size()));
  }
  i64 correct = 0;
  const std::vector<i64> answers = argmax(scores, 1).toVector<i64>(), truth = labels.toVector<i64>();
  for (std::size_t i = 0; i < truth.size(); ++i) {
    if (truth[i] < 0) continue;  // ignored
    ++result.confusion[static_cast<std::size_t>(truth[i])][static_cast<std::size_t>(answers[i])];
    correct += truth[i] == answers[i] ? 1 : 0;
    ++result.samples;
  }
  return correct;
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

Evaluation evaluate(nn::Module& net, const data::Dataset& dataset, i64 batchSize, const LossFunction& loss) {
  const NoGrad guard;
  const EvalScope scope(net);
  Evaluation result;
  double lossSum = 0;
  i64 correct = 0;
  bool classes = true;
  for (const auto& [images, labels] : data::Loader(dataset, {.batchSize = batchSize})) {
    const Tensor scores = net(images);
    const i64 before = result.samples;
    if (!loss) {
      checkScores("evaluate", scores, labels);
      // Refuses labels outside the classes, before they index the confusion matrix.
      lossSum += crossEntropy(scores, labels, {.reduction = Reduction::Sum}).item();
      correct += countAnswers(scores, labels, result);
      continue;
    }
    classes = classes && areClasses(scores, labels);
    if (classes) {
      correct += countAnswers(scores, labels, result);
    } else {
      result.samples += images.size(0);
    }
    // A batch without a label has no mean.
    const i64 samples = result.samples - before;
    if (samples > 0) lossSum += loss(scores, labels).item() * static_cast<double>(samples);
  }
  if (result.samples == 0) throw ValueError("evaluate", "no sample has a label");
  result.loss = lossSum / static_cast<double>(result.samples);
  if (classes) {
    result.accuracy = static_cast<double>(correct) / static_cast<double>(result.samples);
  } else {
    result.accuracy = std::numeric_limits<double>::quiet_NaN();
    result.confusion.clear();
  }
  return result;
}

double accuracy(nn::Module& net, const data::Dataset& dataset, i64 batchSize) {
  return evaluate(net, dataset, batchSize).accuracy;
}

}  // namespace ember::optim
