#pragma once
#include <functional>
#include <vector>

#include <ember/nn/Module.h>
#include <ember/nn/data/Dataset.h>

namespace ember::optim {

/// The loss of one batch, a scalar, from the net's output.
using LossFunction = std::function<Tensor(const Tensor& output, const Tensor& labels)>;

/// How a net does on a labelled data set.
struct Evaluation {
  double loss = 0;      ///< mean over the samples
  double accuracy = 0;  ///< share of right answers, 0 to 1; NaN where the targets are no class labels
  i64 samples = 0;      ///< that have a label; those labelled -100 do not count
  /// confusion[truth][answer] counts samples; empty where the targets are no class labels.
  std::vector<std::vector<i64>> confusion;
};

/// Runs the net in eval mode without gradients over the whole set (its mode is restored).
///
/// Without `loss`, which then is cross-entropy, the net's output is scores [N, classes]. Throws ShapeError for another
/// output, ValueError for a label outside the classes or if no sample has one. With a loss of its own any output and
/// targets will do: the batches' losses are averaged by their samples, and the accuracy is counted where the output is
/// [N, classes] with two classes or more and the targets are [N] i64, each a class or -100.
Evaluation evaluate(nn::Module& net, const data::Dataset& dataset, i64 batchSize = 256, const LossFunction& loss = {});
/// Share of right answers, 0 to 1.
double accuracy(nn::Module& net, const data::Dataset& dataset, i64 batchSize = 256);
/// How many rows of scores [N, classes] have their largest element at the label. Throws ShapeError unless labels are
/// [N].
i64 countCorrect(const Tensor& scores, const Tensor& labels);

}  // namespace ember::optim
