#include <cmath>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::optim;
using namespace ember::test;

namespace {

/// Scores that the pictures themselves are: [N, classes].
data::TensorDataset scored(const std::vector<float>& scores, const std::vector<i64>& labels) {
  const auto n = static_cast<i64>(labels.size());
  return data::TensorDataset(Tensor::of<float>(scores, {n, static_cast<i64>(scores.size()) / n}),
                             Tensor::of<i64>(labels));
}

}  // namespace

TEST_CASE("loss, accuracy and confusion by hand") {
  const auto data = scored({2, 0, 0, /**/ 0, 3, 0, /**/ 1, 0, 0, /**/ 0, 0, 5, /**/ 0, 1, 0}, {0, 1, 1, 2, 2});
  nn::Identity net;
  for (const i64 batchSize : {1, 2, 3, 100}) {
    const Evaluation e = evaluate(net, data, batchSize);
    CHECK(e.samples == 5);
    CHECK(e.accuracy == doctest::Approx(0.6).epsilon(1e-15));
    CHECK(e.confusion == std::vector<std::vector<i64>>{{1, 0, 0}, {1, 1, 0}, {0, 1, 1}});
    const auto loss = [](double right, double a, double b) {
      return std::log(std::exp(right) + std::exp(a) + std::exp(b)) - right;
    };
    const double sum = loss(2, 0, 0) + loss(3, 0, 0) + loss(0, 1, 0) + loss(5, 0, 0) + loss(0, 1, 0);
    CHECK(e.loss == doctest::Approx(sum / 5).epsilon(1e-6));  // f32
    CHECK(accuracy(net, data, batchSize) == e.accuracy);
  }
}

TEST_CASE("samples that are to be ignored do not count") {
  const auto data = scored({2, 0, 0, 3, 1, 0}, {0, -100, 1});
  nn::Identity net;
  const Evaluation e = evaluate(net, data, 2);
  CHECK(e.samples == 2);
  CHECK(e.accuracy == 0.5);
  CHECK(e.confusion == std::vector<std::vector<i64>>{{1, 0}, {1, 0}});
  CHECK(headlineOf<ValueError>([&] {
          evaluate(net, scored({1, 2}, {-100}));
        }) == "[evaluate] ValueError: no sample has a label");
}

TEST_CASE("labels outside the classes and other shapes are errors, not wild writes") {
  nn::Identity net;
  for (const i64 bad : {3, -1, 1'000'000}) CHECK_THROWS_AS(evaluate(net, scored({1, 2, 3}, {bad})), ValueError);
  const data::TensorDataset pictures(Tensor::zeros({2, 3, 4}), Tensor::zeros({2}, DType::I64));
  CHECK(headlineOf<ShapeError>([&] { evaluate(net, pictures); }) ==
        "[evaluate] ShapeError: the net gave [2, 3, 4] for labels [2], expected scores [samples, classes] for labels "
        "[samples]");
  struct Growing : nn::Module {
    Tensor forward(const Tensor& x) override { return Tensor::zeros({x.size(0), ++classes}); }
    i64 classes = 2;
  } growing;
  CHECK(headlineOf<ShapeError>([&] {
          evaluate(growing, scored({1, 2, 3}, {0, 1, 0}), 1);
        }) == "[evaluate] ShapeError: the net gave 4 classes after 3");
}

TEST_CASE("evaluation is in eval mode, without gradients, and restores each module's mode") {
  struct Watch : nn::Module {
    Tensor forward(const Tensor& x) override {
      CHECK(!training());
      CHECK(!gradEnabled());
      ++calls;
      return x;
    }
    int calls = 0;
  };
  nn::Sequential net{Watch(), nn::Sequential(nn::Dropout(0.5), nn::Identity())};
  net.child("1").eval();
  net.child("1.0").train();
  evaluate(net, scored({1, 2, 3, 4}, {0, 1}));
  CHECK(dynamic_cast<Watch&>(net.child(0)).calls == 1);
  std::string modes;
  for (const auto& [path, module] : net.namedModules()) modes += module->training() ? 't' : 'e';
  CHECK(modes == "ttete");
  CHECK(gradEnabled());
  // Also when the net throws.
  net.append(nn::Linear(3, 2));
  CHECK_THROWS_AS(evaluate(net, scored({1, 2, 3, 4}, {0, 1})), ShapeError);
  CHECK(net.training());
  CHECK(!net.child("1").training());
}

TEST_CASE("a loss of one's own is averaged over the samples, and targets that are no classes have no accuracy") {
  nn::Identity net;
  const auto classes = scored({2, 0, 0, 3, 1, 0, 0, 0}, {0, -100, 1, -100});
  const auto hundredfold = [](const Tensor& output, const Tensor& labels) {
    return crossEntropy(output, labels) * 100;
  };
  const Evaluation plain = evaluate(net, classes, 1), own = evaluate(net, classes, 1, hundredfold);
  CHECK(own.loss == doctest::Approx(100 * plain.loss).epsilon(1e-6));  // f32
  CHECK(own.accuracy == plain.accuracy);
  CHECK(own.confusion == plain.confusion);
  CHECK(own.samples == 2);

  const auto squared = [](const Tensor& output, const Tensor& target) { return mse(output, target); };
  const data::TensorDataset numbers(Tensor::of<float>({1, 2, 3}, {3, 1}), Tensor::of<float>({1, 0, 0}, {3, 1}));
  for (const i64 batchSize : {1, 2, 3}) {
    const Evaluation e = evaluate(net, numbers, batchSize, squared);
    CHECK(e.loss == doctest::Approx(13.0 / 3).epsilon(1e-6));
    CHECK(std::isnan(e.accuracy));
    CHECK(e.confusion.empty());
    CHECK(e.samples == 3);
  }
  // i64 targets that stand for no class: none of them may index the confusion matrix.
  const auto any = [](const Tensor& output, const Tensor&) { return output.sum(); };
  for (const i64 target : {2, -1, 1'000'000}) {
    const Evaluation e = evaluate(net, scored({1, 2, 3, 4}, {0, target}), 1, any);
    CHECK(std::isnan(e.accuracy));
    CHECK(e.confusion.empty());
    CHECK(e.samples == 2);
  }
}

TEST_CASE("right answers are counted, ties go to the first") {
  CHECK(countCorrect(Tensor::of<float>({1, 2, 2, 1, 3, 3}, {3, 2}), Tensor::of<i64>({1, 1, 0})) == 2);
  CHECK(countCorrect(Tensor::zeros({0, 3}), Tensor::zeros({0}, DType::I64)) == 0);
  CHECK_THROWS_AS(countCorrect(Tensor::zeros({2, 3}), Tensor::zeros({3}, DType::I64)), ShapeError);
  CHECK_THROWS_AS(countCorrect(Tensor::zeros({2, 3}), Tensor::zeros({2, 1}, DType::I64)), ShapeError);
}
