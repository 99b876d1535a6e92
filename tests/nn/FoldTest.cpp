#include <ember/nn/inference/Fold.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/Error.h>
#include <ember/nn/layers/Layers.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"
#include "support/Residual.h"

using namespace ember;
using namespace ember::test;

namespace {

using Values = std::vector<double>;

/// Overwrites a parameter or buffer.
void set(Tensor t, const Tensor& value) {
  const NoGrad guard;
  t.copy_(value);
}

/// Eval mode, with values that training could have left.
void settle(nn::BatchNormND& norm) {
  const auto put = [](Tensor t, const char* what, double low, double high) {
    if (t.defined()) set(t, draw(what, t.shape(), low, high));
  };
  put(norm.weight, "gamma", 0.5, 2);
  put(norm.bias, "beta", -1, 1);
  put(norm.runningMean, "mean", -1, 1);
  put(norm.runningVar, "var", 0.5, 2);
  norm.eval();
}

/// Separate and folded agree, relative to the largest number of the result: in f32 some roundings of 6e-8 in the
/// products and one in each weight, in f64 the same of 1.1e-16.
template <class Layer>
void checkSame(Layer layer, nn::BatchNormND&& norm, const Shape& input) {
  for (const DType dtype : {DType::F32, DType::F64}) {
    layer.to(dtype);
    norm.to(dtype);
    settle(norm);
    const Tensor x = draw("x", input).to(dtype);
    Layer one = nn::fold(layer, norm);
    CHECK(one.bias.defined());
    CHECK(one.weight.dtype() == dtype);
    CHECK(one.bias.dtype() == dtype);
    const Tensor expected = norm(layer(x));
    double largest = 0;
    for (const double v : expected.toVector<double>()) largest = std::max(largest, std::abs(v));
    CHECK(largest > 0.1);
    const double tolerance = (dtype == DType::F32 ? 1e-6 : 1e-12) * largest;
    CAPTURE(norm.args().dump());
    CHECK_CLOSE(one(x), expected, (Tolerance{0, tolerance}), layer.toString() << name(dtype));
  }
}

/// Everything that a net holds, to see that nothing changed.
std::vector<Values> valuesOf(const nn::Module& module) {
  std::vector<Values> all;
  for (const auto& p : module.namedParameters()) all.push_back(p.tensor.toVector<double>());
  for (const auto& b : module.namedBuffers()) all.push_back(b.tensor.toVector<double>());
  return all;
}

std::string refusalOf(const nn::Conv2D& conv, nn::BatchNormND&& norm) {
  norm.eval();
  return headlineOf([&] { (void)nn::fold(conv, norm); });
}

}  // namespace

TEST_CASE("a case worked by hand") {
  nn::Linear linear(2, 1);
  set(linear.weight, Tensor::of<double>({2, -1}, {1, 2}));
  set(linear.bias, Tensor::of({0.5}));
  nn::BatchNorm1D norm(1, {.epsilon = 1});
  set(norm.weight, Tensor::of({3}));
  set(norm.bias, Tensor::of({1}));
  set(norm.runningMean, Tensor::of({1}));
  set(norm.runningVar, Tensor::of({3}));
  norm.eval();
  const nn::Linear one = nn::fold(linear, norm);  // gamma·is = 3/2
  CHECK(one.weight.toVector<double>() == Values{3, -1.5});
  CHECK(one.bias.toVector<double>() == Values{(0.5 - 1) * 1.5 + 1});
}

TEST_CASE("a folded convolution gives what convolution and norm give, whatever the convolution") {
  for (const bool bias : {true, false}) {
    checkSame(nn::Conv1D(3, 4, {.kernel = 3, .bias = bias}), nn::BatchNorm1D(4), {2, 3, 9});
    checkSame(nn::Conv1D(4, 6, {.kernel = 3, .stride = 2, .padding = 1, .groups = 2, .bias = bias}), nn::BatchNorm1D(6),
              {2, 4, 8});
    checkSame(nn::Conv2D(3, 4, {.kernel = 3, .padding = 1, .bias = bias}), nn::BatchNorm2D(4), {2, 3, 6, 5});
    checkSame(nn::Conv2D(3, 4, {.kernel = {3, 1}, .stride = {2, 1}, .dilation = {1, 2}, .bias = bias}),
              nn::BatchNorm2D(4), {2, 3, 7, 6});
    checkSame(nn::Conv2D(4, 6, {.kernel = 3, .groups = 2, .bias = bias}), nn::BatchNorm2D(6), {2, 4, 6, 6});
    checkSame(nn::Conv2D(4, 4, {.kernel = 3, .padding = 1, .groups = 4, .bias = bias}), nn::BatchNorm2D(4),
              {2, 4, 5, 5});
    checkSame(nn::Conv3D(2, 4, {.kernel = 2, .stride = 2, .bias = bias}), nn::BatchNorm3D(4), {2, 2, 4, 4, 4});
    checkSame(nn::Conv3D(2, 4, {.kernel = 2, .groups = 2, .bias = bias}), nn::BatchNorm3D(4), {1, 2, 3, 4, 3});
    checkSame(nn::Linear(5, 3, {.bias = bias}), nn::BatchNorm1D(3), {4, 5});
    checkSame(nn::Linear(5, 3, {.bias = bias}), nn::BatchNorm1D(3, {.channelAxis = -1}), {4, 2, 5});
    checkSame(nn::Linear(5, 3, {.bias = bias}), nn::BatchNormND(3, {.channelAxis = 3}), {2, 2, 2, 5});
  }
}

TEST_CASE("a folded convolution gives what convolution and norm give, whatever the norm") {
  const nn::BatchNormNDOptions all[] = {
      {.useScale = false},
      {.useShift = false},
      {.affine = false},
      {.fixGamma = true},  // the stored scale is not 1 here, and must not count
      {.epsilon = 0},
      {.epsilon = 1, .epsMode = EpsMode::Max},
      {.useGlobalStats = GlobalStats::True},
      {.freeze = true},
      {.channelAxis = -3},
      {.dataLayout = "NCHW"},
      {.inplace = true},
      {.meanName = "mean", .varName = "var"},
  };
  for (const auto& options : all) {
    checkSame(nn::Conv2D(3, 4, {.kernel = 3, .bias = false}), nn::BatchNorm2D(4, options), {2, 3, 5, 5});
    checkSame(nn::Conv2D(3, 4, {.kernel = 3}), nn::BatchNormND(4, options), {2, 3, 5, 5});
  }
}

TEST_CASE("folding leaves layer and norm as they are and gives parameters of its own") {
  nn::Conv2D conv(2, 3, {.kernel = 3, .padding = 1, .bias = false});
  nn::BatchNorm2D norm(3);
  settle(norm);
  const std::vector<Values> convBefore = valuesOf(conv), normBefore = valuesOf(norm);
  const u64 version = conv.weight.array().version();
  nn::Conv2D one = nn::fold(conv, norm);
  set(one.weight, Tensor::zeros(one.weight.shape()));
  set(one.bias, Tensor::zeros({3}));
  CHECK(valuesOf(conv) == convBefore);
  CHECK(valuesOf(norm) == normBefore);
  CHECK(conv.weight.array().version() == version);
  CHECK_FALSE(conv.bias.defined());
  CHECK(one.details() == "2 -> 3, 3x3, padding 1");
  CHECK(one.namedParameters().size() == 2);
  CHECK(sameBits(norm.foldInto(conv).weight, nn::fold(conv, norm).weight));
  CHECK(sameBits(norm.foldInto(conv).bias, nn::fold(conv, norm).bias));
}

TEST_CASE("the weights are rounded once") {
  nn::Linear linear(1, 1, {.bias = false});
  nn::BatchNorm1D norm(1, {.epsilon = 0});
  set(linear.weight, Tensor::of<double>({1.1}, {1, 1}));
  set(norm.weight, Tensor::of({1.3}));
  set(norm.runningVar, Tensor::of({1.7}));
  norm.eval();
  const auto f32 = [](double v) { return static_cast<double>(static_cast<float>(v)); };
  const double exact = f32(1.1) * (f32(1.3) / std::sqrt(f32(1.7)));
  CHECK(nn::fold(linear, norm).weight.toVector<double>()[0] == f32(exact));
}

TEST_CASE("what cannot be folded is refused with the reason") {
  const nn::Conv2D conv(2, 3, {.kernel = 3});
  CHECK(headlineOf([&] { (void)nn::fold(conv, nn::BatchNorm2D(3)); }) ==
        "[fold] StateError: BatchNorm2D is in training mode, where it normalises with each batch's statistics");
  CHECK(messageOf([&] { (void)nn::fold(conv, nn::BatchNorm2D(3)); }).find("call eval() first") != std::string::npos);
  CHECK(refusalOf(conv, nn::BatchNorm2D(4)) == "[fold] ShapeError: Conv2D gives 3 channels, BatchNorm2D expects 4");
  CHECK(refusalOf(conv, nn::BatchNorm1D(3)) ==
        "[fold] ShapeError: Conv2D gives rank 4, which BatchNorm1D does not take");
  CHECK(refusalOf(conv, nn::BatchNorm2D(3, {.act = nn::Act::ReLU})) ==
        "[fold] ValueError: BatchNorm2D has an activation, which the folded layer cannot hold");
  const std::string batch = "[fold] ValueError: BatchNorm2D normalises with the batch's statistics in eval, too: ";
  CHECK(refusalOf(conv, nn::BatchNorm2D(3, {.trackRunningStats = false})) == batch + "trackRunningStats is off");
  nn::BatchNorm2D untracked(3);
  untracked.setTrackRunningStats(false);
  CHECK(refusalOf(conv, std::move(untracked)) == batch + "trackRunningStats is off");
  CHECK(refusalOf(conv, nn::BatchNorm2D(3, {.useGlobalStats = GlobalStats::False})) ==
        batch + "useGlobalStats is False");
  CHECK(refusalOf(conv, nn::BatchNorm2D(3, {.trainableStatistics = true})) == batch + "trainableStatistics is on");
  CHECK(refusalOf(conv, nn::BatchNorm2D(3, {.channelAxis = -1})) ==
        "[fold] ValueError: the channels of BatchNorm2D are on axis 3, those of Conv2D on axis 1");
  CHECK(refusalOf(conv, nn::BatchNorm2D(3, {.dataLayout = "NHWC"})) ==
        "[fold] ValueError: the channels of BatchNorm2D are on axis 3, those of Conv2D on axis 1");
  CHECK(refusalOf(conv, nn::BatchNorm2D(0)) == "[fold] StateError: BatchNorm2D has no tensors yet");
  CHECK(refusalOf(conv, nn::BatchNorm2D(3, {.empty = true})) == "[fold] StateError: BatchNorm2D has no tensors yet");
  nn::BatchNorm2D each(3, {.paramDim = ParamDim::PerActivation});
  each(draw("x", {2, 3, 2, 2}).to(DType::F32));
  CHECK(refusalOf(conv, std::move(each)) == "[fold] ValueError: BatchNorm2D has parameters for every activation");
  nn::BatchNorm2D wide(3);
  wide.to(DType::F64);
  CHECK(refusalOf(conv, std::move(wide)) == "[fold] DtypeError: Conv2D is f32, BatchNorm2D is f64");

  nn::BatchNorm2D pictures(3);
  pictures.eval();
  CHECK(headlineOf([&] { (void)nn::fold(nn::Linear(2, 3), pictures); }) ==
        "[fold] ValueError: the channels of BatchNorm2D are not on the last axis, where Linear has its outputs");
}

TEST_CASE("a net is folded where it can be, keeps its names, and gives the same in eval") {
  nn::Sequential net(
      nn::Conv2D(1, 4, {.kernel = 3, .bias = false}), nn::BatchNorm2D(4, {.act = nn::Act::ReLU}),
      nn::Sequential(nn::Conv2D(4, 6, {.kernel = 3}), nn::BatchNorm2D(6), nn::ReLU(), nn::BatchNorm2D(6)),
      nn::Flatten(), nn::Linear(6 * 2 * 2, 5), nn::BatchNorm1D(5, {.act = nn::Act::LeakyReLU, .slope = 0.2}),
      nn::Dropout(0.5), nn::Linear(5, 2));
  CHECK(headlineOf([&] { (void)nn::folded(net); }) == "[folded] StateError: the net is in training mode");
  for (const auto& [path, module] : net.namedModules()) {
    if (auto* norm = dynamic_cast<nn::BatchNormND*>(module)) settle(*norm);
  }
  net.eval();
  const std::vector<Values> before = valuesOf(net);
  nn::Sequential one = nn::folded(net);
  CHECK(valuesOf(net) == before);
  CHECK_FALSE(one.training());
  std::vector<std::string> parts;
  for (const auto& [path, module] : one.namedModules()) {
    if (!path.empty()) parts.push_back(path + " " + module->typeName());
    CHECK_FALSE(module->training());
  }
  CHECK(parts == std::vector<std::string>{"0 Conv2D", "1 ReLU", "2 Sequential", "2.0 Conv2D", "2.2 ReLU",
                                          "2.3 BatchNorm2D", "3 Flatten", "4 Linear", "5 LeakyReLU", "6 Dropout",
                                          "7 Linear"});
  const Tensor x = draw("x", {3, 1, 6, 6}).to(DType::F32);
  // Results of size 1, three layers of f32 roundings each.
  CHECK_CLOSE(one(x), net(x), (Tolerance{1e-5, 1e-6}), "folded net");
  CHECK(sameBits((*one.clone())(x), one(x)));
}

TEST_CASE("a module of the user's own that derives from a convolution is not folded") {
  struct Doubled : nn::Conv2D {
    using nn::Conv2D::forward;
    Doubled() : nn::Conv2D(1, 2) {}
    Tensor forward(const Tensor& x) override { return nn::Conv2D::forward(x) * 2; }
  };
  nn::Sequential net{Doubled(), nn::BatchNorm2D(2)};
  net.eval();
  // It cannot be cloned either, being unregistered, and says so instead of changing what the net computes.
  CHECK(headlineOf([&] { (void)nn::folded(net); }) == "[clone] StateError: Doubled cannot be rebuilt");
}

namespace {

/// Gives every norm of a net values that training could have left.
void settleAll(nn::Module& net) {
  for (const auto& [path, module] : net.namedModules()) {
    if (auto* norm = dynamic_cast<nn::BatchNormND*>(module)) settle(*norm);
  }
  net.eval();
}

/// relu(norm(conv(x)) + x), with the residual joined by the norm itself.
struct Joined : nn::Module {
  using Module::forward;
  nn::Conv2D& conv = add("conv", nn::Conv2D(3, 3, {.kernel = 3, .padding = 1, .bias = false}));
  nn::BatchNorm2D& norm = add("norm", nn::BatchNorm2D(3, {.act = nn::Act::ReLU}));
  Tensor forward(const Tensor& x) override { return norm(Tensors{conv(x), x})[0]; }
};

/// A convolution whose output has two readers.
struct Forked : nn::Module {
  using Module::forward;
  nn::Conv2D& conv = add("conv", nn::Conv2D(3, 3, {.kernel = 1, .bias = false}));
  nn::BatchNorm2D& norm = add("norm", nn::BatchNorm2D(3));
  Tensor forward(const Tensor& x) override {
    const Tensor h = conv(x);
    return norm(h) + h;
  }
};

}  // namespace

TEST_CASE("norms in modules of any kind fold in place and the net gives the same") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    nn::Sequential net(nn::Conv2D(2, 4, {.kernel = 3, .bias = false}),
                       nn::BatchNorm2D(4, {.act = nn::Act::LeakyReLU, .slope = 0.2}), Residual(4), Residual(4),
                       nn::Flatten(), nn::Linear(64, 3), nn::BatchNorm1D(3), nn::BatchNorm1D(3));
    net.to(dtype);
    CHECK(headlineOf([&] { nn::foldBatchNorm(net, {2, 2, 6, 6}, dtype); }) ==
          "[foldBatchNorm] StateError: the net is in training mode");
    settleAll(net);
    const Tensor x = draw("x", {3, 2, 6, 6}).to(dtype);
    const NoGrad guard;
    const Tensor expected = net(x);
    CHECK(nn::foldBatchNorm(net, {2, 2, 6, 6}, dtype) == 6);
    // Results of size 1, six layers of roundings each.
    CHECK_CLOSE(net(x), expected, (Tolerance{0, dtype == DType::F32 ? 2e-5 : 1e-12}), "folded in place");
    const auto& first = static_cast<const nn::Conv2D&>(net.child(0));
    CHECK(first.bias.defined());
    CHECK(first.details() == "2 -> 4, 3x3, leakyRelu 0.2");
    CHECK(net.child("3.norm1").namedParameters().empty());
    CHECK(net.child("7").namedParameters().size() == 2);  // behind another norm
    CHECK_FALSE(net.child(0).hasForwardHooks());
    CHECK(nn::foldBatchNorm(net, {2, 2, 6, 6}, dtype) == 1);  // now nothing stands before that other norm
    CHECK(nn::foldBatchNorm(net, {2, 2, 6, 6}, dtype) == 0);
    CHECK_CLOSE(net(x), expected, (Tolerance{0, dtype == DType::F32 ? 2e-5 : 1e-12}), "folded twice");
    net.train();
    CHECK(headlineOf([&] { net(x); }) ==
          "[BatchNorm2D] StateError: the layer was folded into the one in front of it, and does not train");
  }
}

TEST_CASE("a net folded in place clones and prints as it is") {
  nn::Sequential net(nn::Conv2D(2, 3, {.kernel = 1}), nn::BatchNorm2D(3, {.act = nn::Act::ReLU}), nn::Flatten(),
                     nn::Linear(12, 2), nn::BatchNorm1D(2, {.act = nn::Act::LeakyReLU, .slope = 0.3}));
  settleAll(net);
  CHECK(nn::foldBatchNorm(net, {1, 2, 2, 2}) == 2);
  const Tensor x = draw("x", {3, 2, 2, 2}).to(DType::F32);
  const std::unique_ptr<nn::Module> copy = net.clone();
  CHECK(sameBits((*copy)(x), net(x)));
  CHECK(copy->toString() == net.toString());
  CHECK(copy->architecture() == net.architecture());
}

TEST_CASE("a norm that adds a residual itself keeps its activation") {
  nn::Sequential net{Joined()};
  settleAll(net);
  const Tensor x = draw("x", {2, 3, 5, 5}).to(DType::F32);
  const NoGrad guard;
  const Tensor expected = net(x);
  CHECK(nn::foldBatchNorm(net, {2, 3, 5, 5}) == 1);
  CHECK_CLOSE(net(x), expected, (Tolerance{0, 1e-5}), "joined");
  CHECK(static_cast<const nn::BatchNormND&>(net.child("0.norm")).options().act == nn::Act::ReLU);
}

TEST_CASE("a convolution that somebody else reads is not folded, and the net stays what it was") {
  nn::Sequential net{Forked()};
  settleAll(net);
  const Tensor x = draw("x", {2, 3, 5, 5}).to(DType::F32);
  const Tensor expected = net(x);
  CHECK(headlineOf([&] { nn::foldBatchNorm(net, {2, 3, 5, 5}); }) ==
        "[foldBatchNorm] StateError: the folded net computes something else");
  CHECK(sameBits(net(x), expected));
  CHECK_FALSE(net.child("0.conv").hasForwardHooks());
  CHECK(net.parameterCount() == nn::Sequential{Forked()}.parameterCount());  // no bias is left behind
  CHECK(net.child("0.conv").toString() == nn::Sequential{Forked()}.child("0.conv").toString());
}

TEST_CASE("layers with activations of their own run, rebuild and refuse a norm behind") {
  nn::Conv2D conv(2, 3, {.kernel = 3, .act = nn::Act::ReLU});
  nn::Conv2D plain(2, 3, {.kernel = 3});
  set(plain.weight, conv.weight);
  set(plain.bias, conv.bias);
  const Tensor x = draw("x", {2, 2, 5, 5}).to(DType::F32);
  CHECK(sameBits(conv(x), relu(plain(x))));
  CHECK(sameBits((*conv.clone())(x), conv(x)));
  CHECK(conv.details() == "2 -> 3, 3x3, relu");
  nn::Linear linear(4, 2, {.act = nn::Act::LeakyReLU, .slope = 0.5});
  const Tensor rows = draw("rows", {3, 4}).to(DType::F32);
  CHECK(sameBits((*linear.clone())(rows), linear(rows)));
  CHECK(refusalOf(conv, nn::BatchNorm2D(3)) ==
        "[fold] ValueError: Conv2D has an activation, so the norm behind is not affine in it");
  nn::Sequential net(nn::Conv2D(2, 3, {.kernel = 3, .act = nn::Act::ReLU}), nn::BatchNorm2D(3));
  settleAll(net);
  CHECK(sameBits(nn::folded(net)(x), net(x)));
  CHECK(nn::foldBatchNorm(net, x.shape()) == 0);
}
