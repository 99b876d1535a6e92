// What holds between the losses, and what they refuse.
#include <cmath>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Loss.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Softmax.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

// Samples, classes and places of drawn sizes, one among them.
const std::vector<Shape> shapes{{1, 2}, {5, 3}, {7, 1}, {2, 4, 3}, {3, 2, 1, 5}};

Shape withoutClasses(Shape shape) {
  shape.erase(1);
  return shape;
}

}  // namespace

TEST_CASE("cross-entropy is the negative log-likelihood of log-softmax") {
  for (const Shape& shape : shapes) {
    CAPTURE(toString(shape));
    const Tensor x = draw("x", shape, -5, 5), y = integers("y", withoutClasses(shape), shape[1]),
                 w = draw("w", {shape[1]}, 0.5, 2);
    for (const Reduction r : {Reduction::None, Reduction::Mean, Reduction::Sum}) {
      CHECK_CLOSE(crossEntropy(x, y, {.classWeights = w, .reduction = r}),
                  nll(logSoftmax(x, 1), y, {.classWeights = w, .reduction = r}), toleranceF64, "loss");
    }
  }
}

TEST_CASE("cross-entropy of distributions that are certain is that of labels; of labels smoothed, that of smoothing") {
  for (const Shape& shape : shapes) {
    CAPTURE(toString(shape));
    const Tensor x = draw("x", shape, -5, 5), y = integers("y", withoutClasses(shape), shape[1]);
    // The gradient of nll at label c is -1 there and 0 elsewhere.
    Tensor zero = Tensor::zeros(shape, DType::F64).setRequiresGrad();
    nll(zero, y, {.reduction = Reduction::Sum}).backward();
    const Tensor certain = -zero.grad();
    CHECK_CLOSE(crossEntropy(x, certain), crossEntropy(x, y), toleranceF64, "loss");
    const double e = 0.3, classes = static_cast<double>(shape[1]);
    CHECK_CLOSE(crossEntropy(x, certain * (1 - e) + e / classes), crossEntropy(x, y, {.labelSmoothing = e}),
                toleranceF64, "smoothed");
  }
}

TEST_CASE("binary cross-entropy of probabilities is that of their logits, and of two classes") {
  for (const Shape& shape : shapes) {
    CAPTURE(toString(shape));
    const Tensor x = draw("x", shape, -4, 4), t = draw("t", shape, 0, 1);
    for (const Reduction r : {Reduction::None, Reduction::Mean, Reduction::Sum}) {
      const Tensor logits = binaryCrossEntropyWithLogits(x, t, {.reduction = r});
      CHECK_CLOSE(binaryCrossEntropy(sigmoid(x), t, {.reduction = r}), logits, toleranceF64, "loss");
      CHECK_CLOSE(focal(x, t, {.gamma = 0, .alpha = 0.5, .reduction = r}) * 2, logits, toleranceF64, "focal");
    }
  }
  const Tensor x = draw("x", {6}, -4, 4), y = integers("y", {6}, 2);
  const Tensor two = Tensor::zeros({6, 2}, DType::F64);
  Tensor second = two.slice(1, 1, 2);
  second.copy_(x.reshape({6, 1}));
  CHECK_CLOSE(crossEntropy(two.clone(), y), binaryCrossEntropyWithLogits(x, y.to(DType::F64)), toleranceF64, "classes");
}

TEST_CASE(
    "huber is half the squared error for a large delta, delta times smooth L1, and near the absolute error else") {
  for (const Shape& shape : shapes) {
    CAPTURE(toString(shape));
    const Tensor x = draw("x", shape), t = draw("t", shape);
    CHECK_CLOSE(huber(x, t, {.delta = 1e6}) * 2, mse(x, t), toleranceF64, "mse");
    CHECK_CLOSE(huber(x, t, {.delta = 0.3}), smoothL1(x, t, {.beta = 0.3}) * 0.3, toleranceF64, "smooth L1");
    CHECK_CLOSE(huber(x, t, {.delta = 1e-9}) / 1e-9, l1(x, t), (Tolerance{1e-8, 1e-8}), "l1");
    CHECK_CLOSE(smoothL1(x, t, {.beta = 0}), l1(x, t), toleranceF64, "beta 0");
  }
}

TEST_CASE("the second derivative of huber at 0 is 1") {
  const Tensor x = Tensor::zeros({1}, DType::F64).setRequiresGrad();
  const Tensor first = gradients({huber(x, Tensor::zeros({1}, DType::F64))}, {x}, {.createGraph = true})[0];
  CHECK(gradients({first.sum()}, {x})[0].item() == 1);
}

TEST_CASE("the divergence of a distribution from itself is 0, and cross-entropy minus entropy otherwise") {
  for (const Shape& shape : shapes) {
    CAPTURE(toString(shape));
    const Tensor x = draw("x", shape, -3, 3), q = softmax(draw("q", shape, -3, 3), 1), logs = logSoftmax(x, 1);
    CHECK(std::abs(klDivergence(log(q), q, {.reduction = Reduction::Sum}).item()) < 1e-13);
    CHECK(klDivergence(log(q), log(q), {.logTarget = true, .reduction = Reduction::Sum}).item() == 0);
    const Tensor divergence = klDivergence(logs, q, {.reduction = Reduction::Sum});
    CHECK(divergence.item() > -1e-13);
    CHECK_CLOSE(divergence, crossEntropy(x, q, {.reduction = Reduction::Sum}) + sum(q * log(q)), toleranceF64,
                "entropy");
    CHECK_CLOSE(klDivergence(logs, q, {.batchMean = true}) * static_cast<double>(shape[0]), divergence, toleranceF64,
                "batch mean");
  }
  // 0·log 0 is 0, in the gradient, too.
  const Tensor x = Tensor::of({-1, -2}, DType::F64), t = Tensor::of({0, 1}, DType::F64).setRequiresGrad();
  klDivergence(x, t, {.reduction = Reduction::Sum}).backward();
  CHECK(t.grad().toVector<double>() == std::vector<double>{1, 3});
}

TEST_CASE("margins: a hinge of differences is the ranking loss, and cosines know only directions") {
  const Tensor a = draw("a", {5, 4}), b = draw("b", {5, 4}), one = Tensor::ones({5, 4}, DType::F64);
  CHECK_CLOSE(marginRanking(a, b, one, {.margin = 1}), hingeEmbedding(a - b, -one), toleranceF64, "ranking");
  CHECK_CLOSE(marginRanking(a, b, one), marginRanking(b, a, -one), toleranceF64, "turned");
  CHECK_CLOSE(cosineSimilarity(a * 3, b * 0.5), cosineSimilarity(a, b), toleranceF64, "scaled");
  CHECK_CLOSE(cosineSimilarity(a, a * -2), Tensor::full({5}, -1, DType::F64), toleranceF64, "opposite");
  CHECK(cosineEmbedding(a, a, Tensor::ones({5}, DType::F64)).item() == doctest::Approx(0).epsilon(1e-14));
  // Two classes of scores ±x/2 with a margin of 1 are a hinge on the difference, each counted half.
  const Tensor x = draw("x", {6, 1}, -2, 2), y = integers("y", {6}, 2);
  Tensor scores = Tensor::zeros({6, 2}, DType::F64);
  Tensor second = scores.slice(1, 1, 2);
  second.copy_(x);
  const Tensor sign = y.to(DType::F64) * 2 - 1;
  CHECK_CLOSE(multiMargin(scores, y) * 2, mean(relu(1 - sign * x.reshape({6}))), toleranceF64, "multi-margin");
}

TEST_CASE("masks that agree have a dice loss of 0, disjoint ones about 1, empty ones 0") {
  const Tensor full = Tensor::ones({1, 1, 4}, DType::F64), none = Tensor::zeros({1, 1, 4}, DType::F64);
  for (const bool squared : {true, false}) {
    CHECK(dice(full, full, {.squared = squared}).item() == doctest::Approx(0).epsilon(1e-12));
    CHECK(dice(full, none, {.squared = squared}).item() == doctest::Approx(1).epsilon(1e-5));
    CHECK(dice(none, none, {.squared = squared}).item() == 0);
  }
}

TEST_CASE("impossible classes, saturated probabilities and large logits have finite losses and gradients") {
  const Tensor logs = Tensor::of<double>({0, -INFINITY, -INFINITY, 0}, {2, 2}).setRequiresGrad();
  const Tensor loss = nll(logs, Tensor::of<i64>({0, 1}));
  CHECK(loss.item() == 0);
  loss.backward();
  CHECK(logs.grad().toVector<double>() == std::vector<double>{-0.5, 0, 0, -0.5});

  const Tensor p = Tensor::of({0, 1, 0, 1}, DType::F64).setRequiresGrad(), t = Tensor::of({0, 1, 1, 0}, DType::F64);
  const Tensor each = binaryCrossEntropy(p, t, {.reduction = Reduction::None});
  CHECK(each.toVector<double>() == std::vector<double>{0, 0, 100, 100});
  each.sum().backward();
  for (const double g : p.grad().toVector<double>()) CHECK(std::isfinite(g));

  const Tensor x = Tensor::of({500, -500, 500, -500}, DType::F64).setRequiresGrad();
  const Tensor hard = focal(x, t, {.gamma = 0.5, .alpha = 0.5, .reduction = Reduction::None});
  CHECK(hard.toVector<double>() == std::vector<double>{250, 250, 0, 0});
  hard.sum().backward();
  for (const double g : x.grad().toVector<double>()) CHECK(std::isfinite(g));
}

TEST_CASE("no loss broadcasts, and none is a mean over nothing") {
  const Tensor column = Tensor::zeros({2, 1}), row = Tensor::zeros({2}), none = Tensor::zeros({0, 3});
  const Tensor noLabels = Tensor::zeros({0}, DType::I64), places = Tensor::zeros({0, 2, 3});
  const auto pairs = [&](const char* op, auto call) {
    CAPTURE(op);
    CHECK(headlineOf<ShapeError>([&] { call(column, row); }) ==
          "[" + std::string(op) + "] ShapeError: x is [2, 1], target is [2]");
    CHECK(headlineOf<ValueError>([&] { call(none, none); }) ==
          "[" + std::string(op) + "] ValueError: mean over 0 samples");
    CHECK(headlineOf<DtypeError>([&] { call(row, row.to(DType::F64)); }) ==
          "[" + std::string(op) + "] DtypeError: x is f32 and target is f64");
  };
  using T = const Tensor&;
  pairs("binaryCrossEntropy", [](T x, T t) { binaryCrossEntropy(x, t); });
  pairs("focal", [](T x, T t) { focal(x, t); });
  pairs("dice", [](T x, T t) { dice(x, t); });
  pairs("l1", [](T x, T t) { l1(x, t); });
  pairs("smoothL1", [](T x, T t) { smoothL1(x, t); });
  pairs("huber", [](T x, T t) { huber(x, t); });
  pairs("klDivergence", [](T x, T t) { klDivergence(x, t); });
  pairs("poissonNll", [](T x, T t) { poissonNll(x, t); });
  pairs("gaussianNll", [](T x, T t) { gaussianNll(x, t, x); });
  pairs("hingeEmbedding", [](T x, T t) { hingeEmbedding(x, t); });
  pairs("softMargin", [](T x, T t) { softMargin(x, t); });
  CHECK(headlineOf<ShapeError>([&] { gaussianNll(row, row, column); }) ==
        "[gaussianNll] ShapeError: x is [2], variance is [2, 1]");
  CHECK(headlineOf<ShapeError>([&] { marginRanking(row, column, row); }) ==
        "[marginRanking] ShapeError: a is [2], b is [2, 1]");
  CHECK(headlineOf<ShapeError>([&] { marginRanking(row, row, column); }) ==
        "[marginRanking] ShapeError: a is [2], target is [2, 1]");
  CHECK(headlineOf<ShapeError>([&] { cosineSimilarity(row, column); }) ==
        "[cosineSimilarity] ShapeError: a is [2], b is [2, 1]");
  CHECK(headlineOf<ShapeError>([&] { cosineEmbedding(column, column, column); }) ==
        "[cosineEmbedding] ShapeError: target is [2, 1], a [2, 1] needs [2]");
  CHECK(headlineOf<ValueError>([&] { cosineEmbedding(none, none, Tensor::zeros({0})); }) ==
        "[cosineEmbedding] ValueError: mean over 0 samples");
  CHECK(headlineOf<ValueError>([&] { marginRanking(none, none, none); }) ==
        "[marginRanking] ValueError: mean over 0 samples");
  CHECK(headlineOf<ValueError>([&] { nll(none, noLabels); }) == "[nll] ValueError: mean over 0 samples");
  CHECK(headlineOf<ValueError>([&] {
          nll(Tensor::zeros({1, 3}), Tensor::of<i64>({-100}));
        }) == "[nll] ValueError: mean over 0 samples: all labels are ignoreIndex");
  CHECK(headlineOf<ValueError>([&] { multiMargin(none, noLabels); }) ==
        "[multiMargin] ValueError: mean over 0 samples");
  CHECK(headlineOf<ValueError>([&] { crossEntropy(none, none); }) == "[crossEntropy] ValueError: mean over 0 samples");
  CHECK(headlineOf<ShapeError>([&] {
          crossEntropy(Tensor::zeros({2, 3}), Tensor::zeros({2, 2}));
        }) == "[crossEntropy] ShapeError: logits is [2, 3], labels is [2, 2]");
  CHECK(nll(none, noLabels, {.reduction = Reduction::Sum}).item() == 0);
}

TEST_CASE("values and options out of range are errors that name them") {
  const Tensor x = Tensor::zeros({2, 3}), y = Tensor::of<i64>({0, 3}), one = Tensor::ones({2, 3});
  CHECK(headlineOf<ValueError>([&] { nll(x, y); }) == "[nll] ValueError: label 3 of sample 1 is outside [0, 3)");
  CHECK(headlineOf<ValueError>([&] { multiMargin(x, y); }) ==
        "[multiMargin] ValueError: label 3 of sample 1 is outside [0, 3)");
  CHECK(headlineOf<ValueError>([&] {
          multiMargin(x, Tensor::of<i64>({0, -1}));
        }) == "[multiMargin] ValueError: label -1 is outside [0, 3)");
  CHECK(headlineOf<ValueError>([&] {
          multiMargin(x, Tensor::of<i64>({0, 1}), {.p = 3});
        }) == "[multiMargin] ValueError: p is 3, must be 1 or 2");
  CHECK(headlineOf<ValueError>([&] { binaryCrossEntropy(one * 1.5, one); }) ==
        "[binaryCrossEntropy] ValueError: x has a value of 1.5, must be in [0, 1]");
  CHECK(headlineOf<ValueError>([&] { gaussianNll(x, x, -one); }) ==
        "[gaussianNll] ValueError: variance has a value of -1, must be in [0, inf]");
  CHECK(headlineOf<ValueError>([&] { hingeEmbedding(x, x); }) ==
        "[hingeEmbedding] ValueError: target 0 at element 0 is neither 1 nor -1");
  CHECK(headlineOf<ValueError>([&] { crossEntropy(x, one, {.ignoreIndex = 1}); }) ==
        "[crossEntropy] ValueError: ignoreIndex is 1, but the labels are distributions");
  CHECK(headlineOf<ValueError>([&] { klDivergence(x, x, {.reduction = Reduction::Sum, .batchMean = true}); }) ==
        "[klDivergence] ValueError: batchMean is set beside another reduction");
  CHECK(headlineOf<ShapeError>([&] { dice(x, x); }) ==
        "[dice] ShapeError: x is [2, 3], expected [N, C, ...] with places");
  CHECK(headlineOf<ShapeError>([&] { cosineEmbedding(Tensor::zeros({2}), Tensor::zeros({2}), Tensor::ones({2})); }) ==
        "[cosineEmbedding] ShapeError: a is [2], expected [N, D]");
  CHECK(headlineOf<ValueError>([&] { binaryCrossEntropy(x, x, {.weight = Tensor::ones({3}).setRequiresGrad()}); }) ==
        "[binaryCrossEntropy] ValueError: weight requires a gradient, but it is a constant here");
  for (const double bad : {-1.0, std::nan(""), HUGE_VAL}) {
    CHECK_THROWS_AS(smoothL1(x, x, {.beta = bad}), ValueError);
    CHECK_THROWS_AS(huber(x, x, {.delta = bad}), ValueError);
    CHECK_THROWS_AS(focal(x, x, {.gamma = bad}), ValueError);
    CHECK_THROWS_AS(focal(x, x, {.alpha = bad}), ValueError);
    CHECK_THROWS_AS(dice(one.reshape({1, 2, 3}), one.reshape({1, 2, 3}), {.smooth = bad}), ValueError);
    CHECK_THROWS_AS(poissonNll(x, x, {.epsilon = bad}), ValueError);
    CHECK_THROWS_AS(gaussianNll(x, x, one, {.epsilon = bad}), ValueError);
    CHECK_THROWS_AS(cosineSimilarity(x, x, 1, bad), ValueError);
  }
  CHECK_THROWS_AS(huber(x, x, {.delta = 0}), ValueError);
  CHECK_THROWS_AS(hingeEmbedding(x, one, {.margin = std::nan("")}), ValueError);
  CHECK_THROWS_AS(cosineEmbedding(x, x, Tensor::ones({2}), {.margin = 2}), ValueError);
}

TEST_CASE("a probability that is NaN makes the binary cross-entropy NaN") {
  CHECK(std::isnan(binaryCrossEntropy(Tensor::of({std::nan("")}), Tensor::of({1.0})).item()));
  CHECK(std::isnan(binaryCrossEntropy(Tensor::of({std::nan("")}), Tensor::of({0.0})).item()));
}
