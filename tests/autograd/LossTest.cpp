#include <ember/autograd/ops/Loss.h>

#include <cmath>
#include <vector>

#include <doctest/doctest.h>
#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/autograd/ops/Softmax.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

// Values and gradients against PyTorch and differences: GoldenTest and OpTableTest, for every option.

using namespace ember;
using namespace ember::test;

namespace {

Tensor labels(const std::vector<i64>& values) { return Tensor::of<i64>(values); }

}  // namespace

TEST_CASE("cross-entropy is minus the logarithm of the softmax at the label") {
  const Tensor x = draw("x", {3, 4}), log = logSoftmax(x, 1);
  const std::vector<double> p = log.toVector<double>(),
                            each =
                                crossEntropy(x, labels({2, 0, 3}), {.reduction = Reduction::None}).toVector<double>();
  CHECK(each[0] == doctest::Approx(-p[2]).epsilon(1e-14));
  CHECK(each[1] == doctest::Approx(-p[4]).epsilon(1e-14));
  CHECK(each[2] == doctest::Approx(-p[11]).epsilon(1e-14));
}

TEST_CASE("cross-entropy of pictures is that of their pixels as samples, in any memory order") {
  const Tensor x = draw("x", {2, 3, 4, 5}), y = integers("y", {2, 4, 5}, 3);
  const CrossEntropyOptions options{
      .labelSmoothing = 0.1, .classWeights = Tensor::of({1, 2, 3}, DType::F64), .ignoreIndex = 1};
  const Tensor flat = crossEntropy(reshape(permute(x, {0, 2, 3, 1}), {40, 3}), reshape(y, {40}), options);
  CHECK(crossEntropy(x, y, options).item() == flat.item());
  CHECK(crossEntropy(Tensor(x.array().contiguous(MemoryOrder::ChannelsLast)), y, options).item() == flat.item());
}

TEST_CASE("cross-entropy of large logits neither overflows nor loses the loss") {
  const Tensor x = Tensor::of<float>({1000, -1000, 0, 80, 0, -80}, {2, 3}).setRequiresGrad();
  const Tensor each = crossEntropy(x, labels({1, 0}), {.reduction = Reduction::None});
  CHECK(each.toVector<double>() == std::vector<double>{2000, 0});
  each.backward({.gradient = Tensor::ones({2})});
  CHECK(x.grad().toVector<double>()[0] == 1);
  CHECK(x.grad().toVector<double>()[1] == -1);
  const double small = crossEntropy(Tensor::of<double>({30, 0}, {1, 2}), labels({0})).item();
  CHECK(small ==
        doctest::Approx(std::exp(-30.0)).epsilon(1e-2));  // log(1 + e^-30) through a sum of about 1 keeps two digits
}

TEST_CASE("NaN and infinite logits give NaN losses, as the formula does") {
  CHECK(std::isnan(crossEntropy(Tensor::of<double>({NAN, 0}, {1, 2}), labels({1})).item()));
  CHECK(std::isnan(crossEntropy(Tensor::of<double>({INFINITY, 0}, {1, 2}), labels({1})).item()));
  CHECK(crossEntropy(Tensor::of<double>({-INFINITY, 0}, {1, 2}), labels({1})).item() == 0);
}

TEST_CASE("the gradient of ignored samples is exactly zero") {
  const Tensor x = draw("x", {3, 4}).setRequiresGrad();
  crossEntropy(x, labels({1, -100, 2}), {.labelSmoothing = 0.3}).backward();
  const std::vector<double> g = x.grad().toVector<double>();
  for (std::size_t c = 4; c < 8; ++c) CHECK(g[c] == 0);
  CHECK(g[0] != 0);
}

TEST_CASE("the fused gradient agrees with the one in differentiable ops, scaled by what comes in") {
  for (const Reduction reduction : {Reduction::Mean, Reduction::Sum, Reduction::None}) {
    const CrossEntropyOptions options{.labelSmoothing = 0.2,
                                      .classWeights = Tensor::of({0.5, 1, 2, 4}, DType::F64),
                                      .ignoreIndex = 3,
                                      .reduction = reduction};
    const Tensor y = integers("y", {6}, 4);
    const auto gradient = [&](bool createGraph) {
      const Tensor x = draw("x", {6, 4}).setRequiresGrad();
      const Tensor loss = crossEntropy(x, y, options);
      return gradients({loss}, {x}, {.createGraph = createGraph}, {draw("g", loss.shape())})[0];
    };
    CHECK_CLOSE(gradient(false), gradient(true), toleranceF64, "reduction " << static_cast<int>(reduction));
  }
}

TEST_CASE("labels are indices of classes, one a sample") {
  const Tensor x = Tensor::zeros({4, 3});
  CHECK(headlineOf<ValueError>([&] {
          crossEntropy(x, labels({0, 1, 3, 2}));
        }) == "[crossEntropy] ValueError: label 3 of sample 2 is outside [0, 3)");
  CHECK(headlineOf<ValueError>([&] {
          crossEntropy(x, labels({0, 1, 2, -1}));
        }) == "[crossEntropy] ValueError: label -1 of sample 3 is outside [0, 3)");
  CHECK(headlineOf<ValueError>([&] {
          crossEntropy(Tensor::zeros({1, 3, 2, 2}), Tensor::of<i64>({0, 0, 7, 0}, {1, 2, 2}));
        }) == "[crossEntropy] ValueError: label 7 of sample [0, 1, 0] is outside [0, 3)");
  CHECK(headlineOf<DtypeError>([&] { crossEntropy(x, Tensor::zeros({4})); }) ==
        "[crossEntropy] DtypeError: labels are f32, expected i64");
  CHECK(headlineOf<ShapeError>([&] {
          crossEntropy(x, labels({0, 1}));
        }) == "[crossEntropy] ShapeError: labels are [2], logits [4, 3] need labels [4]");
  CHECK(headlineOf<ShapeError>([&] {
          crossEntropy(x, Tensor::zeros({4, 1}, DType::I64));
        }) == "[crossEntropy] ShapeError: labels are [4, 1], logits [4, 3] need labels [4]");
  CHECK(headlineOf<ShapeError>([&] { crossEntropy(Tensor::zeros({4}), labels({0})); }) ==
        "[crossEntropy] ShapeError: logits have rank 1, expected [N, C] or [N, C, ...]");
  CHECK(headlineOf<DtypeError>([&] {
          crossEntropy(x.to(DType::I64), labels({0, 0, 0, 0}));
        }) == "[crossEntropy] DtypeError: logits is i64, expected f32 or f64");
}

TEST_CASE("options of cross-entropy out of range are errors") {
  const Tensor x = Tensor::zeros({2, 3}), y = labels({0, 1});
  CHECK(headlineOf<ValueError>([&] { crossEntropy(x, y, {.labelSmoothing = 1.5}); }) ==
        "[crossEntropy] ValueError: labelSmoothing is 1.500000, must be in [0, 1]");
  CHECK_THROWS_AS(crossEntropy(x, y, {.labelSmoothing = NAN}), ValueError);
  CHECK(headlineOf<ShapeError>([&] { crossEntropy(x, y, {.classWeights = Tensor::ones({2})}); }) ==
        "[crossEntropy] ShapeError: class weights are [2], 3 classes need [3]");
  CHECK_THROWS_AS(crossEntropy(x, y, {.classWeights = Tensor::ones({3}).setRequiresGrad()}), ValueError);
}

TEST_CASE("a mean over no samples is an error instead of NaN; a sum over none is 0") {
  const Tensor none = Tensor::zeros({0, 3}), noLabels = Tensor::zeros({0}, DType::I64);
  CHECK(headlineOf<ValueError>([&] { crossEntropy(none, noLabels); }) ==
        "[crossEntropy] ValueError: mean over 0 samples");
  CHECK(crossEntropy(none, noLabels, {.reduction = Reduction::Sum}).item() == 0);
  CHECK(crossEntropy(none, noLabels, {.reduction = Reduction::None}).numel() == 0);
  CHECK(headlineOf<ValueError>([&] {
          crossEntropy(Tensor::zeros({2, 3}), labels({-100, -100}));
        }) == "[crossEntropy] ValueError: mean over 0 samples: all labels are ignoreIndex");
  CHECK(headlineOf<ValueError>([&] {
          crossEntropy(Tensor::zeros({1, 2}), labels({0}), {.classWeights = Tensor::of({0, 1})});
        }) == "[crossEntropy] ValueError: the class weights of all samples sum to 0");
  CHECK(headlineOf<ValueError>([&] { mse(none, none); }) == "[mse] ValueError: mean over 0 samples");
  CHECK(headlineOf<ValueError>([&] { binaryCrossEntropyWithLogits(none, none); }) ==
        "[binaryCrossEntropyWithLogits] ValueError: mean over 0 samples");
  CHECK(mse(none, none, {.reduction = Reduction::Sum}).item() == 0);
}

TEST_CASE("labels that were overwritten between forward and backward are an error") {
  const Tensor x = draw("x", {2, 3}).setRequiresGrad();
  Tensor y = labels({0, 1});
  const Tensor loss = crossEntropy(x, y);
  y.fill_(2);
  CHECK(headlineOf<StateError>([&] { loss.backward(); }) ==
        "[crossEntropy] StateError: an operand that its gradient needs was overwritten by fill_");
}

TEST_CASE("losses never broadcast") {
  const Tensor column = Tensor::zeros({2, 1}), row = Tensor::zeros({2});
  CHECK(headlineOf<ShapeError>([&] { mse(column, row); }) == "[mse] ShapeError: x is [2, 1], target is [2]");
  CHECK(headlineOf<ShapeError>([&] { binaryCrossEntropyWithLogits(row, column); }) ==
        "[binaryCrossEntropyWithLogits] ShapeError: x is [2], target is [2, 1]");
  CHECK(headlineOf<DtypeError>([&] { mse(row, row.to(DType::F64)); }) ==
        "[mse] DtypeError: x is f32 and target is f64");
  CHECK(headlineOf<ShapeError>([&] {
          binaryCrossEntropyWithLogits(row, row, {.posWeight = Tensor::ones({3, 2})});
        }) == "[binaryCrossEntropyWithLogits] ShapeError: posWeight [3, 2] does not fit x [2]");
}

TEST_CASE("binary cross-entropy is exact at both ends") {
  const Tensor x = Tensor::of({500, -500, 20, -20}, DType::F64), t = Tensor::of({0, 1, 1, 0}, DType::F64);
  const std::vector<double> each =
      binaryCrossEntropyWithLogits(x, t, {.reduction = Reduction::None}).toVector<double>();
  CHECK(each[0] == 500);
  CHECK(each[1] == 500);
  CHECK(each[2] == doctest::Approx(std::exp(-20.0)).epsilon(1e-8));
  CHECK(each[3] == doctest::Approx(std::exp(-20.0)).epsilon(1e-8));
}

TEST_CASE("shape-only logits give a shape-only loss, with the checks") {
  const Tensor y = Tensor::zeros({4}, DType::I64);
  CHECK(crossEntropy(Tensor::shapeOnly({4, 3}), y).isShapeOnly());
  CHECK((crossEntropy(Tensor::shapeOnly({4, 3}), y, {.reduction = Reduction::None}).shape() == Shape{4}));
  CHECK_THROWS_AS(crossEntropy(Tensor::shapeOnly({5, 3}), y), ShapeError);
}
