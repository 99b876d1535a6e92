#include <ember/optim/Swa.h>

#include <doctest/doctest.h>
#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Golden.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("the average is the plain mean of the weights that were taken in, whatever it began with") {
  nn::Sequential net(nn::Linear(3, 2), nn::BatchNorm1D(2));
  net.to(DType::F64);
  optim::Swa swa(net);
  const nn::Parameters parameters = net.namedParameters();
  CHECK(swa.averages().size() == parameters.size());  // no buffers
  Tensor weight = parameters[0].tensor, mean = Tensor::zeros({2, 3}, DType::F64);
  for (int i = 1; i <= 5; ++i) {
    const Tensor value = draw("w" + std::to_string(i), {2, 3});
    {
      const NoGrad guard;
      weight.copy_(value);
    }
    mean = mean + value / 5.0;
    swa.update();
  }
  CHECK(swa.updates() == 5);
  CHECK_CLOSE(swa.averages()[0].tensor, mean, toleranceF64, "average");
  const Tensor last = weight.clone();
  swa.swap();
  CHECK_CLOSE(weight.detach(), mean, toleranceF64, "swapped");
  swa.swap();
  CHECK(sameBits(weight.detach(), last));
}

TEST_CASE("batch norm is estimated anew: the mean over all batches, dropout off, modes and counters as before") {
  seed(1);
  nn::Sequential net(nn::Dropout(0.5), nn::BatchNorm1D(3, {.momentum = 0.9}), nn::Linear(3, 2));
  net.child(2).eval();
  auto& norm = static_cast<nn::BatchNorm1D&>(net.child(1));
  const Tensor x = draw("x", {12, 3}).to(DType::F32);
  const data::TensorDataset data(x, Tensor::zeros({12}, DType::I64));
  net(x);  // statistics of another time
  const auto streams = net.streams();
  CHECK(optim::updateBatchNorm(net, data::Loader(data, {.batchSize = 4})) == 1);
  Tensor mean = Tensor::zeros({3}), variance = Tensor::zeros({3});
  for (i64 i = 0; i < 12; i += 4) {
    mean = mean + x.slice(0, i, i + 4).mean({0}) / 3.0;
    variance = variance + var(x.slice(0, i, i + 4), {0}) / 3.0;
  }
  CHECK_CLOSE(norm.runningMean, mean, toleranceF32, "mean");
  CHECK_CLOSE(norm.runningVar, variance, toleranceF32, "variance");
  CHECK(norm.numBatchesTracked.item() == 3);
  CHECK(net.streams() == streams);
  CHECK(net.training());
  CHECK(net.child(0).training());
  CHECK(norm.training());
  CHECK(!net.child(2).training());
  // From now on updates are those of the options again.
  net.eval();
  norm.train();
  net(x);
  CHECK_CLOSE(norm.runningMean, mean * 0.9 + x.mean({0}) * 0.1, toleranceF32, "afterwards");
}

TEST_CASE("frozen and untracked batch norms stay as they are, and modes are restored when a forward throws") {
  nn::Sequential net(nn::BatchNorm1D(3, {.freeze = true}), nn::BatchNorm1D(3, {.trackRunningStats = false}));
  const data::TensorDataset data(draw("x", {5, 3}).to(DType::F32), Tensor::zeros({5}, DType::I64));
  CHECK(optim::updateBatchNorm(net, data::Loader(data, {.batchSize = 4})) == 0);
  CHECK(net.training());
  const nn::BatchNorm1D& frozen = static_cast<const nn::BatchNorm1D&>(net.child(0));
  CHECK(frozen.runningMean.toVector<double>() == std::vector<double>{0, 0, 0});
  nn::Sequential other(nn::BatchNorm1D(4));
  CHECK_THROWS_AS(optim::updateBatchNorm(other, data::Loader(data, {.batchSize = 4})), ShapeError);
  CHECK(other.training());
}
