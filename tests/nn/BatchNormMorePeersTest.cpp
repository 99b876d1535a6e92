// The cases with which Paddle and MXNet test their batch norm, as far as they need no GPU (f16 becomes bf16), and those
// that nobody has.
#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/GradCheck.h>
#include <ember/core/comm/InProcess.h>
#include <ember/ember.h>

#include "nn/PlainBatchNorm.h"
#include "support/Draw.h"
#include "support/Golden.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

using Values = std::vector<double>;
using nn::GlobalStats;

Values valuesOf(const Tensor& t) { return t.toVector<double>(); }
Tensor input(const std::string& name, const Shape& shape, double low = -2, double high = 2) {
  return draw(name, shape, low, high).to(DType::F32);
}
std::size_t sizeOf(i64 n) { return static_cast<std::size_t>(n); }

}  // namespace

TEST_CASE("Paddle: inference in both layouts, with and without scale and shift, in f32 and bf16") {
  for (const Shape& first : {Shape{2, 3, 4, 5}, Shape{2, 3}}) {
    for (const bool last : {false, true}) {
      for (const bool scale : {true, false}) {
        for (const bool shift : {true, false}) {
          Shape shape = first;
          if (last) shape.erase(1), shape.push(3);
          nn::BatchNormND norm(3, {.useScale = scale,
                                   .useShift = shift,
                                   .meanInit = Tensor::of({0.1, 0.2, 0.3}),
                                   .varInit = Tensor::of({0.5, 1, 2}),
                                   .channelAxis = last ? -1 : 1,
                                   .isTest = true});
          const Tensor x = input("x", shape), y = norm(x);
          const Values a = norm.inferenceScale(), b = norm.inferenceShift(), in = valuesOf(x);
          Values expected(in.size());
          const std::size_t inner = last ? 1 : in.size() / 6;
          for (std::size_t i = 0; i < in.size(); ++i) expected[i] = a[i / inner % 3] * in[i] + b[i / inner % 3];
          const double is = 1 / std::sqrt(0.5 + 1e-5), w = scale ? valuesOf(norm.weight)[0] : 1;
          CHECK(a[0] == doctest::Approx(w * is).epsilon(1e-6));
          CHECK(b[0] == doctest::Approx(-0.1 * w * is).epsilon(1e-6));
          CHECK_CLOSE(y, Tensor::of<double>(expected, shape), toleranceF32, "y");
          CHECK_CLOSE(norm(x.to(DType::BF16)), y, (Tolerance{1e-2, 2e-2}), "y bf16");
          CHECK(norm.numBatchesTracked.item() == 0);
        }
      }
    }
  }
}

TEST_CASE("Paddle: training with every subset of the gradients, and statistics frozen by useGlobalStats") {
  const Shape shape{2, 3, 4, 5};
  for (const bool global : {false, true}) {
    for (int subset = 0; subset < 8; ++subset) {
      nn::BatchNorm2D norm(3, {.momentum = 0.9,
                               .meanInit = 0,
                               .varInit = 1,
                               .useGlobalStats = global ? GlobalStats::True : GlobalStats::Auto});
      PlainBatchNorm plain({}, valuesOf(norm.weight), valuesOf(norm.bias));
      Tensor x = input("x", shape);
      const Tensor dy = input("dy", shape);
      x.setRequiresGrad(subset & 1);
      norm.weight.setRequiresGrad(subset & 2);
      norm.bias.setRequiresGrad(subset & 4);
      const Tensor y = norm(x);
      const auto expected = global ? plain.fixed(x, dy) : plain.batch(x, dy);
      CHECK_CLOSE(y, expected.y, toleranceF32, "y");
      CHECK_CLOSE(norm.runningVar, plain.runningVar(), toleranceF32, "running variance");
      CHECK(y.requiresGrad() == (subset != 0));
      if (subset) y.backward({.gradient = dy});
      const auto check = [&](const Tensor& gradient, const Tensor& wanted, bool there) {
        CHECK(gradient.defined() == there);
        if (there) CHECK_CLOSE(gradient, wanted, toleranceF32, "a gradient");
      };
      check(x.grad(), expected.dx, subset & 1);
      check(norm.weight.grad(), expected.dgamma, subset & 2);
      check(norm.bias.grad(), expected.dbeta, subset & 4);
    }
  }
}

TEST_CASE("Paddle: wrong ranks, layouts and types are errors") {
  CHECK_THROWS_AS(nn::BatchNorm1D(3)(input("x", {2, 3, 4, 5})), ShapeError);
  CHECK_THROWS_AS(nn::BatchNorm2D(3)(input("x", {2, 3, 4})), ShapeError);
  CHECK_THROWS_AS(nn::BatchNorm3D(3)(input("x", {2, 3, 4, 5})), ShapeError);
  CHECK_THROWS_AS(nn::BatchNormND(3)(input("x", {3})), ShapeError);
  CHECK_THROWS_AS(nn::BatchNorm1D(3, {.dataLayout = "NCDHW"}), ValueError);
  CHECK_THROWS_AS(nn::BatchNorm2D(3, {.dataLayout = "NCL"}), ValueError);
  CHECK_THROWS_AS(nn::BatchNorm3D(3, {.dataLayout = "NCHW"}), ValueError);
  CHECK_THROWS_AS(nn::BatchNorm2D(3)(Tensor::ones({2, 3, 4, 5}, DType::I64)), DtypeError);
  CHECK_THROWS_AS(nn::BatchNorm2D(3)(Tensor()), StateError);
}

TEST_CASE("Paddle: the general layer and those of one rank are the same, and 1D is 2D of one place") {
  const Tensor x = input("x", {4, 3, 2, 5}), rows = input("rows", {13700, 16});
  nn::BatchNormND general(3, nn::presets::paddleCpu());
  nn::BatchNorm2D pictures(3, nn::presets::paddleCpu());
  CHECK(sameBits(general(x), pictures(x)));
  CHECK(sameBits(general.runningVar, pictures.runningVar));
  nn::BatchNorm1D flat(16, nn::presets::paddleCpu());
  nn::BatchNorm2D places(16, nn::presets::paddleCpu());
  CHECK_CLOSE(flat(rows), places(rows.reshape({13700, 16, 1, 1})).reshape({13700, 16}), toleranceF32, "y");
  CHECK_CLOSE(flat.runningVar, places.runningVar, toleranceF32, "running variance");
}

TEST_CASE("Paddle and MegEngine: batches of 200,000 and a million rows, trained and evaluated") {
  for (const i64 rows : {i64{200000}, i64{1000000}}) {
    const i64 channels = rows > 500000 ? 2 : 4;
    nn::BatchNorm1D norm(channels, {.sscale = 0});
    const Tensor x = input("x", {rows, channels}, 9, 11);
    PlainBatchNorm plain({.weight = [](i64) { return 1; }}, Values(sizeOf(channels), 1), Values(sizeOf(channels), 0));
    const auto expected = plain.batch(x, x);
    const NoGrad guard;
    CHECK_CLOSE(norm(x), expected.y, toleranceF32, "y");
    CHECK_CLOSE(norm.runningMean, plain.runningMean(), (Tolerance{1e-6, 0}), "running mean");
    CHECK_CLOSE(norm.runningVar, plain.runningVar(), (Tolerance{1e-6, 0}), "running variance");
    norm.eval();
    CHECK_CLOSE(norm(x), plain.fixed(x, x).y, toleranceF32, "y in evaluation");
  }
}

TEST_CASE("Paddle: channels last equal the transposed channels first in f64, forward and backward") {
  for (const Shape& shape : {Shape{4, 3, 6}, Shape{2, 3, 4, 5}, Shape{2, 3, 4, 2, 3}}) {
    std::vector<int> toLast{0}, toFirst{0, shape.rank() - 1};
    for (int i = 2; i < shape.rank(); ++i) toLast.push_back(i), toFirst.push_back(i - 1);
    toLast.push_back(1);
    nn::BatchNormND first(3, {.sscale = 0, .dtype = DType::F64});
    nn::BatchNormND last(3, {.sscale = 0, .channelAxis = -1, .dtype = DType::F64});
    Tensor x = draw("x", shape), turned = x.permute(toLast).clone();
    const Tensor dy = draw("dy", shape);
    const Tensor y = first(x.setRequiresGrad()), z = last(turned.setRequiresGrad());
    y.backward({.gradient = dy});
    z.backward({.gradient = dy.permute(toLast)});
    CHECK_CLOSE(z.permute(toFirst), y, toleranceF64, "y");
    CHECK_CLOSE(turned.grad().permute(toFirst), x.grad(), toleranceF64, "dx");
    CHECK_CLOSE(last.weight.grad(), first.weight.grad(), toleranceF64, "dscale");
  }
}

TEST_CASE("MXNet: numeric gradients for a fixed and a free scale, either statistics, and every axis") {
  for (const Shape& shape : {Shape{2, 3}, Shape{2, 3, 2, 2}, Shape{2, 8, 2, 2}}) {
    for (int axis = -shape.rank(); axis < shape.rank(); ++axis) {
      for (const bool fixGamma : {false, true}) {
        for (const auto global : {GlobalStats::Auto, GlobalStats::True}) {
          CAPTURE(axis);
          CAPTURE(fixGamma);
          nn::BatchNormND norm(shape.at(axis), {.fixGamma = fixGamma,
                                                .sscale = 0.3,
                                                .meanInit = 0.2,
                                                .varInit = 1.5,
                                                .channelAxis = axis,
                                                .dtype = DType::F64,
                                                .useGlobalStats = global});
          CHECK(gradcheck([&](const Tensor& x) { return norm(x); }, distinct("x", shape)) <= 1);
        }
      }
    }
  }
}

TEST_CASE("MXNet: ten steps of training along every axis, with absent, written and added gradients") {
  for (const Shape& shape : {Shape{4, 2}, Shape{4, 3, 4}, Shape{4, 6, 4, 5}, Shape{4, 5, 6, 4, 5}}) {
    for (int axis = 0; axis < shape.rank(); ++axis) {
      for (const char* request : {"null", "write", "add"}) {
        const bool fixGamma = axis % 2 == 1, trains = request != std::string("null"),
                   adds = request == std::string("add");
        CAPTURE(axis);
        CAPTURE(std::string(request));
        nn::BatchNormND norm(shape[axis], {.epsilon = 1e-3,
                                           .momentum = 0.9,
                                           .fixGamma = fixGamma,
                                           .sscale = 0.3,
                                           .biasInit = 0.5,
                                           .channelAxis = axis,
                                           .outputMeanVar = true});
        PlainBatchNorm plain({.epsilon = 1e-3, .axis = axis}, valuesOf(norm.weight), valuesOf(norm.bias));
        norm.weight.setRequiresGrad(trains && !fixGamma);
        norm.bias.setRequiresGrad(trains);
        Tensor dbeta = Tensor::zeros({shape[axis]}, DType::F64), dgamma = dbeta.clone();
        for (int step = 0; step < 10; ++step) {
          Tensor x = input("x" + std::to_string(step), shape, -1, 3);
          const Tensor dy = input("dy" + std::to_string(step), shape);
          const Tensors outputs = norm(Tensors{x.setRequiresGrad()});
          if (!adds) norm.zeroGrad(), dbeta.fill_(0), dgamma.fill_(0);
          outputs[0].backward({.gradient = dy});
          const auto expected = plain.batch(x, dy);
          dbeta.add_(expected.dbeta);
          dgamma.add_(expected.dgamma);
          // Ten f32 gradients are added up, of some hundred elements each.
          const Tolerance tolerance{1e-4, 1e-4};
          CHECK_CLOSE(outputs[0], expected.y, tolerance, "y");
          CHECK_CLOSE(outputs[1], expected.mean, tolerance, "mean");
          CHECK_CLOSE(outputs[2], expected.invstd, tolerance, "invstd");
          CHECK_CLOSE(x.grad(), expected.dx, tolerance, "dx");
          CHECK_CLOSE(norm.runningMean, plain.runningMean(), tolerance, "running mean");
          CHECK_CLOSE(norm.runningVar, plain.runningVar(), tolerance, "running variance");
          CHECK(norm.bias.grad().defined() == trains);
          if (trains) CHECK_CLOSE(norm.bias.grad(), dbeta, tolerance, "dbeta");
          if (trains && !fixGamma) CHECK_CLOSE(norm.weight.grad(), dgamma, tolerance, "dgamma");
        }
      }
    }
  }
}

TEST_CASE("MXNet: the statistics stay where the forward left them through backward, evaluation and its backward") {
  nn::BatchNorm2D norm(3);
  Tensor x = input("x", {4, 3, 2, 2});
  const Tensor y = norm(x.setRequiresGrad());
  const Tensor mean = norm.runningMean.clone(), var = norm.runningVar.clone();
  (y * y).sum().backward();
  norm.eval();
  (norm(x) * norm(x)).sum().backward();  // wrong or impossible in PuzzleLib and on MXNet's GPU
  CHECK(sameBits(norm.runningMean, mean));
  CHECK(sameBits(norm.runningVar, var));
  CHECK(x.grad().defined());
}

TEST_CASE("MXNet: channel counts from 3 to 1024, unit variance a channel, the three backends alike") {
  for (const i64 channels : {3, 4, 6, 8, 15, 16, 17, 31, 64, 100, 1024}) {
    const Tensor x = input("x", {3, channels, 4, 2}, -1, 4), dy = input("dy", {3, channels, 4, 2});
    std::vector<Tensor> ys, gradients;
    for (const auto backend :
         {nn::BatchNormBackend::Auto, nn::BatchNormBackend::Reference, nn::BatchNormBackend::OneDNN}) {
      nn::BatchNorm2D norm(channels, {.sscale = 0, .backend = backend});
      Tensor leaf = x.clone();
      ys.push_back(norm(leaf.setRequiresGrad()));
      ys.back().backward({.gradient = dy});
      gradients.push_back(leaf.grad());
    }
    CHECK_CLOSE((ys[0] * ys[0]).mean({0, 2, 3}), Tensor::ones({channels}), (Tolerance{0, 1e-4}), "variance");
    for (const std::size_t other : {1, 2}) {
      CHECK_CLOSE(ys[0], ys[other], toleranceF32, "y of backend " << other);
      CHECK_CLOSE(gradients[0], gradients[other], toleranceF32, "dx of backend " << other);
    }
  }
}

TEST_CASE("MXNet: an axis is saved and loaded with the layer") {
  const TempFolder folder;
  for (const int axis : {1, 2, -1}) {
    nn::BatchNormND norm(4, {.channelAxis = axis});
    const Tensor x = input("x", {4, 4, 4, 4});
    norm(x);
    save(folder / "norm.json", norm);
    const auto again = nn::load(folder / "norm.json");
    CHECK(dynamic_cast<nn::BatchNormND&>(*again).channelAxis(4) == (axis + 4) % 4);
    CHECK(sameBits((*again)(x), norm(x)));
  }
}

TEST_CASE("MXNet: synchronised layers over unequal and empty shards equal the whole batch") {
  const Tensor whole = input("x", {8, 3, 2, 2}, 1, 3), dy = input("dy", {8, 3, 2, 2});
  PlainBatchNorm plain({.weight = [](i64) { return 1; }}, Values(3, 1), Values(3, 0));
  const auto expected = plain.batch(whole, dy);
  const std::vector<i64> starts{0, 1, 1, 8};  // 1, 0 and 7 samples
  std::vector<Tensor> y(3), dx(3), dgamma(3), var(3);
  runRanks(3, [&](std::shared_ptr<Communicator> group) {
    const auto me = sizeOf(group->rank());
    nn::BatchNorm2D norm(3, {.sscale = 0, .syncGroup = group});
    Tensor part = whole.slice(0, starts[me], starts[me + 1]).clone();
    y[me] = norm(part.setRequiresGrad());
    y[me].backward({.gradient = dy.slice(0, starts[me], starts[me + 1])});
    dx[me] = part.grad();
    dgamma[me] = norm.weight.grad();
    var[me] = norm.runningVar;
  });
  for (std::size_t rank = 0; rank < 3; ++rank) {
    CHECK_CLOSE(y[rank], expected.y.slice(0, starts[rank], starts[rank + 1]), toleranceF32, "y of rank " << rank);
    CHECK_CLOSE(dx[rank], expected.dx.slice(0, starts[rank], starts[rank + 1]), toleranceF32, "dx of rank " << rank);
    CHECK_CLOSE(var[rank], plain.runningVar(), toleranceF32, "running variance of rank " << rank);
  }
  CHECK_CLOSE(dgamma[0] + dgamma[1] + dgamma[2], expected.dgamma, toleranceF32, "sum of the ranks' dgamma");
}

TEST_CASE("MXNet: inference in 8 bits stays near that in f32") {
  nn::BatchNorm2D norm(4, {.minCalib = -4, .maxCalib = 4});
  norm(input("train", {8, 4, 3, 3}));
  norm.eval();
  const Tensor x = input("x", {2, 4, 3, 3});
  Values steps;
  for (const double v : valuesOf(x)) steps.push_back(std::round(v / 2 * 127));
  const Tensor coarse = Tensor::of<double>(steps, x.shape()).to(DType::I8);
  const auto result = norm.forwardInt8(coarse, -2, 2);
  CHECK(name(result.y.dtype()) == "i8");
  // Half a step of 4/127 and the rounding of x, times a scale of about 1.
  CHECK_CLOSE(result.y.to(DType::F32) * (4.0 / 127), norm(x), (Tolerance{0, 0.035}), "y");
}

TEST_CASE("a constant channel and a variance far below epsilon: exact zeros, and no lost digits") {
  nn::BatchNorm1D norm(2, {.sscale = 0, .dtype = DType::F64});
  const Tensor constant = Tensor::full({6, 2}, 1e4, DType::F64);
  CHECK(valuesOf(norm(constant)) == Values(12, 0));
  CHECK(valuesOf(norm.runningVar) == Values(2, 0));

  nn::BatchNorm1D tiny(1, {.epsilon = 1, .sscale = 0, .dtype = DType::F64});
  const double spread = 1e-7;
  tiny(Tensor::of<double>({-spread, spread}, {2, 1}));
  // MXNet recovers the variance from 1/sqrt(var + eps) and loses it here.
  CHECK(tiny.runningVar.item() == doctest::Approx(2 * spread * spread).epsilon(1e-12));
}
