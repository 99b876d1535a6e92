// The cases with which PuzzleLib, brainpy and MegEngine test their batch norm, as far as they need no GPU; f16 becomes
// bf16. Paddle's and MXNet's stand in BatchNormMorePeersTest.cpp.
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

using namespace ember;
using namespace ember::test;

namespace {

using Values = std::vector<double>;

Values valuesOf(const Tensor& t) { return t.toVector<double>(); }
Tensor input(const std::string& name, const Shape& shape, double low = -2, double high = 2) {
  return draw(name, shape, low, high).to(DType::F32);
}

double always(i64) { return 1; }

/// The same layer in plain loops, with the layer's scale and shift.
PlainBatchNorm plainOf(const nn::BatchNormND& norm, PlainRule rule) {
  const auto channels = static_cast<std::size_t>(norm.maps());
  return {std::move(rule), norm.weight.defined() ? valuesOf(norm.weight) : Values(channels, 1),
          norm.bias.defined() ? valuesOf(norm.bias) : Values(channels, 0)};
}

const std::vector<Shape> puzzleShapes{{16, 10}, {16, 5, 4}, {16, 5, 4, 2}, {8, 5, 3, 4, 2}};

}  // namespace

TEST_CASE("PuzzleLib: one training batch of each unit test gives statistics, y and gradients") {
  for (const Shape& shape : puzzleShapes) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      nn::BatchNormNDOptions options = nn::presets::puzzle();
      options.dtype = dtype;
      options.outputMeanVar = true;
      nn::BatchNormND norm(shape[1], options);
      PlainBatchNorm plain = plainOf(norm, {.weight = always});
      Tensor x = draw("x", shape).to(dtype);
      const Tensor dy = draw("dy", shape).to(dtype);
      const Tensors outputs = norm(Tensors{x.setRequiresGrad()});
      outputs[0].backward({.gradient = dy});
      const auto expected = plain.batch(x, dy);
      const Tolerance tolerance = toleranceOf(dtype);
      CHECK_CLOSE(outputs[1], expected.mean, tolerance, "savemean");
      CHECK_CLOSE(norm.runningMean, expected.mean, tolerance, "running mean");  // the first batch counts fully
      CHECK_CLOSE(norm.runningVar, plain.runningVar(), tolerance, "running variance");
      CHECK_CLOSE(outputs[2], expected.invstd, tolerance, "saveinvvar");
      CHECK_CLOSE(outputs[0], expected.y, tolerance, "y");
      CHECK_CLOSE(x.grad(), expected.dx, tolerance, "dx");
      CHECK_CLOSE(norm.weight.grad(), expected.dgamma, tolerance, "dscale");
      CHECK_CLOSE(norm.bias.grad(), expected.dbeta, tolerance, "dbias");
    }
  }
}

TEST_CASE("PuzzleLib's cuDNN wrapper: training over its own input, and inference, in f32 and bf16") {
  for (const Shape& shape : {Shape{4, 3, 5, 2}, Shape{2, 3, 4, 2, 3}}) {
    nn::BatchNormND inplace(3, {.inplace = true}), bf16(3);
    PlainBatchNorm plain = plainOf(inplace, {.weight = always});
    const Tensor dy = input("dy", shape);
    Tensor x = input("x", shape), leaf = x.clone(), wide = x.to(DType::BF16).to(DType::F32);
    const Tensor y = inplace(leaf.setRequiresGrad() * 1);
    y.backward({.gradient = dy});
    auto expected = plain.batch(x, dy);
    CHECK_CLOSE(y, expected.y, toleranceF32, "y in place");
    CHECK_CLOSE(leaf.grad(), expected.dx, toleranceF32, "dx in place");
    CHECK_CLOSE(inplace.weight.grad(), expected.dgamma, toleranceF32, "dscale in place");

    // As their 1e-2 for f16; bf16 has 8 bits, of values up to 4.
    const Tolerance coarse{1.0 / 64, 1e-2};
    const Tensor z = bf16(wide.setRequiresGrad().to(DType::BF16));
    z.backward({.gradient = dy.to(DType::BF16)});
    expected = plainOf(bf16, {.weight = always}).batch(wide, dy.to(DType::BF16).to(DType::F32));
    CHECK_CLOSE(z, expected.y, coarse, "y bf16");
    CHECK_CLOSE(wide.grad(), expected.dx, coarse, "dx bf16");
    CHECK_CLOSE(bf16.weight.grad(), expected.dgamma, coarse, "dscale bf16");

    nn::BatchNormND eval(
        3, {.meanInit = Tensor::of({0.5, -1, 2}), .varInit = Tensor::of({1.5, 0.25, 3}), .inplace = true});
    eval.eval();
    const Tensor out = eval(x * 1);
    const Values scale = eval.inferenceScale(), shift = eval.inferenceShift(), in = valuesOf(x);
    Values affine(in.size());
    const std::size_t inner = in.size() / static_cast<std::size_t>(shape[0] * 3);
    for (std::size_t i = 0; i < in.size(); ++i) affine[i] = scale[i / inner % 3] * in[i] + shift[i / inner % 3];
    CHECK_CLOSE(out, Tensor::of<double>(affine, shape), toleranceF32, "inference");
  }
}

TEST_CASE("PuzzleLib's oneDNN wrapper: training of four axes and of one place, and inference") {
  for (const Shape& shape : {Shape{4, 5, 3, 2}, Shape{4, 5, 1, 1}}) {
    nn::BatchNorm2D norm(5, {.backend = nn::BatchNormBackend::OneDNN});
    PlainBatchNorm plain = plainOf(norm, {.weight = always});
    Tensor x = input("x", shape);
    const Tensor dy = input("dy", shape);
    norm(x.setRequiresGrad()).backward({.gradient = dy});
    const auto expected = plain.batch(x, dy);
    CHECK_CLOSE(x.grad(), expected.dx, toleranceF32, "dx");
    CHECK_CLOSE(norm.bias.grad(), expected.dbeta, toleranceF32, "dbias");
    // Their wrapper leaves the raw statistics of the batch; ours are updated by the rule.
    CHECK_CLOSE(norm.runningVar, plain.runningVar(), toleranceF32, "running variance");
    norm.eval();
    CHECK_CLOSE(norm(x), plain.fixed(x, dy).y, toleranceF32, "inference");
  }
}

TEST_CASE("PuzzleLib: gradients through convolution and batch norm agree with differences") {
  seed(3);
  nn::Sequential net(nn::Conv2D(2, 3, {.kernel = 3, .padding = 1}), nn::BatchNorm2D(3), nn::Tanh());
  net.to(DType::F64);
  CHECK(gradcheck([&](const Tensor& x) { return net(x); }, draw("x", {2, 2, 4, 3})) <= 1);
}

TEST_CASE("PuzzleLib: a batch norm on half-precision data trains") {
  seed(4);
  nn::BatchNorm1D norm(3);
  const Tensor x = input("x", {32, 3}), target = input("target", {3}, 1, 2);
  optim::SGD sgd(norm.namedParameters(), {.lr = 0.2});
  double first = 0, last = 0;
  for (int step = 0; step < 40; ++step) {
    const Tensor distance = norm(x.to(DType::BF16)).to(DType::F32) - target;
    const Tensor loss = (distance * distance).mean();
    sgd.zeroGrad();
    loss.backward();
    sgd.step();
    (step == 0 ? first : last) = loss.item();
  }
  CHECK(last < 0.1 * first);  // the scale goes to 0, the shift to the target
}

TEST_CASE("PuzzleLib's converters: batch norm folded into the layer in front gives the same") {
  seed(5);
  nn::Conv2D conv(2, 3, {.kernel = 3, .bias = false});
  nn::Linear linear(4, 3);
  nn::BatchNorm2D norm(3);
  nn::BatchNorm1D flat(3);
  norm(conv(input("train", {4, 2, 5, 5})));
  flat(linear(input("rows", {8, 4})));
  for (nn::Module* module : std::vector<nn::Module*>{&conv, &linear, &norm, &flat}) module->eval();
  const Tensor x = input("x", {2, 2, 5, 5}), rows = input("x", {5, 4});
  nn::Conv2D folded = norm.foldInto(conv);
  nn::Linear foldedLinear = flat.foldInto(linear);
  CHECK_CLOSE(folded(x), norm(conv(x)), toleranceF32, "convolution");
  CHECK_CLOSE(foldedLinear(rows), flat(linear(rows)), toleranceF32, "linear");
}

TEST_CASE("brainpy: one, two and three dimensions in both modes, channels last, with and without scale and shift") {
  for (const Shape& shape : {Shape{2, 5, 3}, Shape{2, 4, 5, 3}, Shape{2, 4, 3, 5, 3}}) {
    for (const bool affine : {true, false}) {
      nn::BatchNormNDOptions options = nn::presets::brainpy28();
      options.affine = affine;
      nn::BatchNormND norm(3, options);
      const Tensor x = input("x", shape, 1, 6);
      const Tensor y = norm(x);
      // As theirs: mean 0 to 1e-5, variance 1 to 1e-4.
      std::vector<int> axes;
      for (int i = 0; i + 1 < shape.rank(); ++i) axes.push_back(i);
      CHECK_CLOSE(y.mean(axes), Tensor::zeros({3}), (Tolerance{0, 1e-5}), "mean");
      CHECK_CLOSE((y * y).mean(axes), Tensor::ones({3}), (Tolerance{0, 1e-4}), "variance");
      norm.eval();
      CHECK((norm(x).shape() == shape));
      CHECK(norm.namedParameters().size() == (affine ? 2 : 0));
    }
  }
  CHECK_THROWS_WITH_AS(nn::BatchNorm2D(3, nn::presets::brainpy28())(input("x", {2, 5, 3})),
                       doctest::Contains("use BatchNorm1D"), ShapeError);
  CHECK_THROWS_AS(nn::BatchNorm1D(3, nn::presets::brainpy28())(input("x", {2, 5, 4})), ShapeError);
}

TEST_CASE("brainpy: the running variance after one batch is the unbiased one, and not the biased") {
  nn::BatchNorm1D norm(2, nn::presets::brainpy28()), old(2, nn::presets::brainpy27());
  PlainBatchNorm plain = plainOf(norm, {.axis = -1, .weight = always});
  const Tensor x = input("x", {3, 2, 2}, 0, 4);
  norm(x);
  old(x);
  (void)plain.batch(x, x);
  const Values unbiased = valuesOf(plain.runningVar());
  for (std::size_t c = 0; c < 2; ++c) {
    CHECK(valuesOf(norm.runningVar)[c] == doctest::Approx(0.99 + 0.01 * unbiased[c]).epsilon(1e-6));
    CHECK(valuesOf(old.runningVar)[c] == doctest::Approx(0.99 + 0.01 * unbiased[c] * 5 / 6).epsilon(1e-6));
  }
}

TEST_CASE("MegEngine: three training steps, then evaluation twice, in two and three axes, alone and synchronised") {
  for (const Shape& shape : {Shape{3, 8, 4}, Shape{3, 8, 16, 16}}) {
    for (const bool sync : {false, true}) {
      nn::BatchNormND norm(8, nn::presets::megengine());
      if (sync) norm.setSyncGroup(inProcess(1)[0]);
      PlainBatchNorm plain = plainOf(norm, {});
      const Tolerance tolerance{5e-6, 5e-6};  // theirs
      for (int step = 0; step < 3; ++step) {
        const Tensor x = input("step " + std::to_string(step), shape, 1.3, 3.3);
        const Tensor y = norm(x);
        CHECK_CLOSE(y, plain.batch(x, x).y, tolerance, "y");
        CHECK_CLOSE(norm.runningMean, plain.runningMean(), tolerance, "running mean");
        CHECK_CLOSE(norm.runningVar, plain.runningVar(), tolerance, "running variance");
      }
      norm.eval();
      const Tensor mean = norm.runningMean.clone(), var = norm.runningVar.clone(), x = input("eval", shape, 1.3, 3.3);
      const Tensor first = norm(x), second = norm(x);
      CHECK(sameBits(first, second));
      CHECK(sameBits(norm.runningMean, mean));
      CHECK(sameBits(norm.runningVar, var));
      CHECK_CLOSE(first, plain.fixed(x, x).y, tolerance, "y in evaluation");
    }
  }
}

TEST_CASE("MegEngine: without running statistics both modes take the batch's; the empty tensor stays empty") {
  nn::BatchNorm2D norm(8, {.momentum = 0.9, .sscale = 0, .trackRunningStats = false});
  for (const bool training : {true, true, false}) {
    norm.train(training);
    const Tensor x = input("x", {3, 8, 4, 4}, 1, 3);
    CHECK_CLOSE(norm(x), plainOf(norm, {}).batch(x, x).y, (Tolerance{5e-6, 5e-6}), "y");
  }
  nn::BatchNorm1D flat(4);
  nn::BatchNorm2D pictures(4);
  CHECK((flat(Tensor::zeros({0, 4, 0})).shape() == Shape{0, 4, 0}));
  CHECK((pictures(Tensor::zeros({0, 4, 0, 0})).shape() == Shape{0, 4, 0, 0}));
}

TEST_CASE("MegEngine: frozen layers keep their parameters under SGD, with and without scale and shift") {
  for (const bool affine : {true, false}) {
    nn::BatchNormND norm(3, {.epsilon = 0, .affine = affine, .sscale = 0, .meanInit = 1, .varInit = 4, .freeze = true});
    for (const bool training : {true, false}) {
      norm.train(training);
      Tensor x = input("x", {4, 3, 5, 2});
      const Tensor loss = norm(x.setRequiresGrad()).mean();
      double expected = 0;
      for (const double v : valuesOf(x)) expected += (v - 1) / 2;
      CHECK(loss.item() == doctest::Approx(expected / static_cast<double>(x.numel())).epsilon(1e-5));
      loss.backward();
      if (!affine) continue;
      optim::SGD sgd(norm.namedParameters(), {.lr = 1});
      sgd.step();
      CHECK(valuesOf(norm.weight) == Values(3, 1));
      CHECK(valuesOf(norm.bias) == Values(3, 0));
    }
  }
}

TEST_CASE("MegEngine: one layer applied twice to one input gives nothing as difference, and counts two batches") {
  nn::BatchNorm2D norm(3);
  Tensor x = input("x", {4, 3, 2, 2});
  const Tensor difference = norm(x.setRequiresGrad()) - norm(x);
  CHECK(valuesOf(difference) == Values(48, 0));
  difference.sum().backward();
  CHECK(norm.numBatchesTracked.item() == 2);
  CHECK(valuesOf(norm.weight.grad()) == Values(3, 0));
}

TEST_CASE("MegEngine: parameters along each of the axes that its param_dim knows, in f32 and bf16") {
  const Shape shape{4, 3, 2, 5};
  for (const DType dtype : {DType::F32, DType::BF16}) {
    const Tolerance tolerance = dtype == DType::F32 ? Tolerance{1e-3, 1e-3} : Tolerance{1.0 / 64, 1e-2};
    const Tensor x = input("x", shape).to(dtype), wide = x.to(DType::F32);
    const auto check = [&](i64 maps, const nn::BatchNormNDOptions& options, const Shape& seen) {
      nn::BatchNormND norm(maps, options);
      PlainBatchNorm plain(PlainRule{.axis = options.channelAxis.value_or(1), .weight = always},
                           Values(static_cast<std::size_t>(maps), 1), Values(static_cast<std::size_t>(maps), 0));
      CHECK_CLOSE(norm(x.reshape(seen)), plain.batch(wide.reshape(seen), wide.reshape(seen)).y, tolerance, "y");
      CHECK_CLOSE(norm.runningVar, plain.runningVar(), tolerance, "running variance");
    };
    check(3, {.sscale = 0}, shape);                     // 1C11
    check(5, {.sscale = 0, .channelAxis = -1}, shape);  // 111C
    check(10, {.sscale = 0}, {12, 10});                 // 11HW: rows N·C, columns H·W
  }
}

TEST_CASE(
    "MegEngine: ten iterations agree with a graph of plain operations, running statistics and gradients included") {
  nn::BatchNorm2D norm(3, nn::presets::megengine());
  Tensor mean = Tensor::zeros({1, 3, 1, 1}), var = Tensor::ones({1, 3, 1, 1});
  const double m = 4 * 2 * 5;
  for (int step = 0; step < 10; ++step) {
    const Shape shape{4, 3, 2, 5};
    Tensor x = input("step " + std::to_string(step), shape, -1, 3), same = x.clone();
    const Tensor dy = input("dy " + std::to_string(step), shape);
    const Tensor y = norm(x.setRequiresGrad());
    y.backward({.gradient = dy});

    same.setRequiresGrad();
    const Tensor batchMean = same.mean({0, 2, 3}, true), centred = same - batchMean;
    const Tensor batchVar = (centred * centred).mean({0, 2, 3}, true);
    const Tensor composed = centred / sqrt(batchVar + 1e-5);
    composed.backward({.gradient = dy});
    mean = mean * 0.9 + batchMean.detach() * 0.1;
    var = var * 0.9 + batchVar.detach() * (0.1 * m / (m - 1));
    CHECK_CLOSE(y, composed, toleranceF32, "y");
    CHECK_CLOSE(x.grad(), same.grad(), toleranceF32, "dx");
    CHECK_CLOSE(norm.runningMean, mean.reshape({3}), toleranceF32, "running mean");
    CHECK_CLOSE(norm.runningVar, var.reshape({3}), toleranceF32, "running variance");
  }
}

TEST_CASE("MegEngine and brainpy: statistics over a split in width and over groups of ranks equal the whole") {
  // Two ranks hold halves of the width; with four, groups {0, 2} and {1, 3} each hold a batch of their own.
  const Tensor whole = input("x", {3, 4, 2, 6}, 1, 5), dy = input("dy", {3, 4, 2, 6});
  nn::BatchNorm2D alone(4, nn::presets::megengine());
  PlainBatchNorm plain = plainOf(alone, {});
  const auto expected = plain.batch(whole, dy);
  for (const bool groups : {false, true}) {
    const int size = groups ? 4 : 2;
    std::vector<Tensor> y(static_cast<std::size_t>(size)), dx(y), var(y);
    runRanks(size, [&](std::shared_ptr<Communicator> world) {
      const auto group = groups ? world->split({{0, 2}, {1, 3}}) : world;
      const auto me = static_cast<std::size_t>(world->rank());
      const i64 from = group->rank() == 0 ? 0 : 2, to = group->rank() == 0 ? 2 : 6;
      nn::BatchNorm2D norm(4, nn::presets::megengine());
      norm.setSyncGroup(group);
      Tensor part = whole.slice(3, from, to).clone();
      y[me] = norm(part.setRequiresGrad());
      y[me].backward({.gradient = dy.slice(3, from, to)});
      dx[me] = part.grad();
      var[me] = norm.runningVar;
    });
    for (std::size_t rank = 0; rank < y.size(); ++rank) {
      const bool first = groups ? rank < 2 : rank == 0;
      const i64 from = first ? 0 : 2, to = first ? 2 : 6;
      CHECK_CLOSE(y[rank], expected.y.slice(3, from, to), toleranceF32, "y of rank " << rank);
      CHECK_CLOSE(dx[rank], expected.dx.slice(3, from, to), toleranceF32, "dx of rank " << rank);
      CHECK_CLOSE(var[rank], plain.runningVar(), toleranceF32, "running variance of rank " << rank);
    }
  }
}
