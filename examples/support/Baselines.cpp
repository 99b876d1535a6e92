#include "Baselines.h"

#include <algorithm>

using namespace ember;

namespace {

struct Flat {
  Tensor train, test;  // [N, features]
};

Flat standardised(const data::TensorDataset& train, const data::TensorDataset& test) {
  const NoGrad guard;
  const Tensor x = train.images().reshape({train.size(), -1});
  const Tensor mean = x.mean({0});
  const Tensor deviation = sqrt(square(x - mean).mean({0}) + 1e-8);  // some features may be constant
  return {(x - mean) / deviation, (test.images().reshape({test.size(), -1}) - mean) / deviation};
}

}  // namespace

double linearAccuracy(const data::TensorDataset& train, const data::TensorDataset& test, u64 seed) {
  const Flat flat = standardised(train, test);
  const data::TensorDataset flatTrain(flat.train, train.labels()), flatTest(flat.test, test.labels());

  nn::Sequential model(nn::Linear(flat.train.size(1), static_cast<i64>(train.classNames().size())));
  optim::AdamW adam(model.namedParameters(), {.lr = 1e-3, .weightDecay = 0.1});
  const i64 batch = std::min<i64>(128, train.size()), epochs = 30;
  const i64 steps = epochs * ((train.size() + batch - 1) / batch);
  optim::Trainer trainer(
      model, adam, flatTrain,
      {.epochs = epochs, .batchSize = batch, .seed = seed, .schedule = optim::schedule::cosine(steps)});
  trainer.run();
  return optim::accuracy(model, flatTest);
}

double nearestNeighbourAccuracy(const data::TensorDataset& train, const data::TensorDataset& test) {
  const NoGrad guard;
  const Flat flat = standardised(train, test);
  const Tensor lengths = square(flat.train).sum({1});
  const Tensor columns = flat.train.transpose(0, 1);
  const std::vector<i64> trainLabels = train.labels().toVector<i64>(), testLabels = test.labels().toVector<i64>();

  i64 right = 0;
  for (i64 begin = 0; begin < test.size(); begin += 256) {
    const i64 end = std::min(begin + 256, test.size());
    // |t - x|² = |x|² - 2·t·x + |t|², whose last term is the same for all x.
    const Tensor distances = lengths - 2 * matmul(flat.test.slice(0, begin, end), columns);
    const std::vector<float> all = distances.toVector<float>();
    for (i64 row = 0; row < end - begin; ++row) {
      const auto first = all.begin() + row * train.size();
      const auto nearest = std::min_element(first, first + train.size()) - first;
      right += trainLabels[static_cast<std::size_t>(nearest)] == testLabels[static_cast<std::size_t>(begin + row)];
    }
  }
  return static_cast<double>(right) / static_cast<double>(test.size());
}
