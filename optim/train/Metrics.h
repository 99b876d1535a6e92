#pragma once
#include <vector>

#include <ember/nn/Module.h>
#include <ember/nn/data/Dataset.h>

namespace ember::optim {

/// How a net does on a labelled data set.
struct Evaluation {
  double loss = 0;      ///< mean cross-entropy
  double accuracy = 0;  ///< share of right answers, 0 to 1
  i64 samples = 0;      ///< that have a label; those labelled -100 do not count
  /// confusion[truth][answer] counts samples.
  std::vector<std::vector<i64>> confusion;
};

/// Runs the net in eval mode without gradients over the whole set (its mode is restored). Net output: scores [N,
/// classes]. Throws ShapeError for another output, ValueError for a label outside the classes or if no sample has one.
Evaluation evaluate(nn::Module& net, const data::Dataset& dataset, i64 batchSize = 256);
/// Share of right answers, 0 to 1.
double accuracy(nn::Module& net, const data::Dataset& dataset, i64 batchSize = 256);
/// How many rows of scores [N, classes] have their largest element at the label. Throws ShapeError unless labels are
/// [N].
i64 countCorrect(const Tensor& scores, const Tensor& labels);

}  // namespace ember::optim
