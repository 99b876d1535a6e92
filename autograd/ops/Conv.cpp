#include <ember/autograd/ops/Conv.h>

#include <string>
#include <utility>
#include <vector>

#include <ember/autograd/Deferred.h>
#include <ember/autograd/Fusion.h>
#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>

// <dy, conv(x, w)> is linear in dy, x and w. Its gradients in them are conv(x, w), convBackwardData(dy, w) and
// convBackwardWeights(dy, x): three ops, and the gradients of each are the other two, so nothing else is needed however
// often one differentiates.

namespace ember {
namespace autograd {
namespace {

const char* convName(int spatial) { return spatial == 1 ? "conv1d" : spatial == 3 ? "conv3d" : "conv2d"; }

void checkBias(const char* op, const Tensor& b, const Tensor& x, const Tensor& w) {
  if (!b.defined()) return;
  checkSameDtype(op, x, b, "x", "b");
  if (b.shape() == Shape{w.size(0)}) return;
  throw ShapeError(op,
                   "bias is " + toString(b.shape()) + ", " + std::to_string(w.size(0)) + " filters need [" +
                       std::to_string(w.size(0)) + "]",
                   {{"filters", "w " + toString(w.shape())}}, "give one bias a filter, or none");
}

void countMultiplyAdds(const Shape& y, const Shape& w) {
  i64 perOutput = 1;
  for (int i = 1; i < w.rank(); ++i) perOutput = checkedMul(perOutput, w[i]);
  multiplyAdds() = checkedAdd(multiplyAdds(), checkedMul(numel(y), perOutput));
}

// What the gradients of the others need is kept, and nothing else.
Saved savedFor(const Tensor& other, const Tensor& kept) { return Saved(other.requiresGrad() ? kept : Tensor()); }

}  // namespace

core::ConvGeometry convGeometry(int spatial, const ConvOptions& options, const Shape& x, const Shape& w,
                                const char* op) {
  core::ConvGeometry g;
  g.spatial = spatial;
  g.stride = options.stride.over(spatial, op, "stride");
  g.dilation = options.dilation.over(spatial, op, "dilation");
  if (x.rank() == spatial + 2 && w.rank() == spatial + 2) {  // else conv refuses them
    const Padding::Sides sides = options.padding.over(spatial, x.begin() + 2, w.begin() + 2, g.stride, g.dilation, op);
    g.padBefore = sides.before;
    g.padAfter = sides.after;
  }
  g.groups = options.groups;
  return g;
}

Tensor conv(const Tensor& x, const Tensor& w, const Tensor& b, const core::ConvGeometry& g, const core::FusedAct& act) {
  using Kind = core::FusedAct::Kind;
  const char* op = convName(g.spatial);
  const Tensor* bias = b.defined() ? &b : nullptr;
  const Tensor* operands[] = {&x, &w, bias};
  checkOperands(op, operands);
  checkFloating(op, x);
  checkSameDtype(op, x, w, "x", "w");
  const Shape y = core::convShape(x.shape(), w.shape(), g, op);
  checkBias(op, b, x, w);
  if (anyShapeOnly(operands)) countMultiplyAdds(y, w.shape());
  if (!act.none() && (!fusionEnabled() || act.slope < 0)) {
    // Below 0 the sign of y no longer tells that of what the activation was given.
    const Tensor plain = conv(x, w, b, g);
    return act.kind == Kind::Relu ? relu(plain) : leakyRelu(plain, act.slope);
  }
  const auto epilogue = [&] { return core::Epilogue{.bias = b.defined() ? b.array() : core::NDArray(), .act = act}; };
  if (act.none() && mayDefer() && !needsRecording(operands) && !anyShapeOnly(operands))
    return deferred(x.array(), w.array(), epilogue(), g, y);
  // The gradient of w reads x channels last, as the forward does: a batch in another order is turned once for both.
  core::NDArray input;
  if (!x.requiresGrad() && needsRecording(operands) && !anyShapeOnly(operands))
    input = x.array().contiguous(MemoryOrder::ChannelsLast);
  return apply(
      op, operands, y, x.dtype(),
      [&] {
        core::Epilogue e = epilogue();
        // A net in training leaves the bias out where a batch norm follows; if none does, a few percent are lost here.
        e.statistics = !b.defined() && needsRecording(operands) && fusionEnabled();
        return core::fusedConv(input.defined() ? input : x.array(), w.array(), e, g);
      },
      [sx = savedFor(w, x), sw = savedFor(x, w), xShape = x.shape(), wShape = w.shape(), g, act,
       input](const BackwardContext& c) {
        const Tensor dy = act.none() ? c.grad() : activationBackward(c, act);
        Tensor source = sx.get(c);
        if (input.defined() && !gradEnabled()) source = Tensor(input);
        return Tensors{c.needs(0) ? convBackwardData(dy, sw.get(c), xShape, g) : Tensor(),
                       c.needs(1) ? convBackwardWeights(dy, source, wShape, g) : Tensor(),
                       c.needs(2) ? convBackwardBias(dy) : Tensor()};
      },
      act.none() ? SaveOutputs::No : SaveOutputs::Yes);
}

Tensor convBackwardData(const Tensor& dy, const Tensor& w, const Shape& xShape, const core::ConvGeometry& g,
                        const char* op) {
  checkOperands(op, {&dy, &w});
  return apply(
      op, {&dy, &w}, xShape, dy.dtype(), [&] { return core::convBackwardData(dy.array(), w.array(), xShape, g); },
      [sdy = savedFor(w, dy), sw = savedFor(dy, w), wShape = w.shape(), g](const BackwardContext& c) {
        return Tensors{c.needs(0) ? conv(c.grad(), sw.get(c), {}, g) : Tensor(),
                       c.needs(1) ? convBackwardWeights(sdy.get(c), c.grad(), wShape, g) : Tensor()};
      });
}

Tensor convBackwardWeights(const Tensor& dy, const Tensor& x, const Shape& wShape, const core::ConvGeometry& g) {
  constexpr const char* op = "convBackwardWeights";
  checkOperands(op, {&dy, &x});
  return apply(
      op, {&dy, &x}, wShape, dy.dtype(), [&] { return core::convBackwardWeights(dy.array(), x.array(), wShape, g); },
      [sdy = savedFor(x, dy), sx = savedFor(dy, x), xShape = x.shape(), g](const BackwardContext& c) {
        return Tensors{c.needs(0) ? conv(sx.get(c), c.grad(), {}, g) : Tensor(),
                       c.needs(1) ? convBackwardData(sdy.get(c), c.grad(), xShape, g) : Tensor()};
      });
}

Tensor convBackwardBias(const Tensor& dy) {
  constexpr const char* op = "convBackwardBias";
  checkOperands(op, {&dy});
  return apply(
      op, {&dy}, Shape{dy.size(1)}, dy.dtype(), [&] { return core::convBackwardBias(dy.array()); },
      [whole = dy.shape()](const BackwardContext& c) {
        Shape perChannel = Shape::filled(whole.rank(), 1);
        perChannel[1] = whole[1];
        return Tensors{expand(reshape(c.grad(), perChannel), whole)};
      });
}

}  // namespace autograd

namespace {

/// x with its padding around it, which the geometry then has no more.
Tensor padded(const Tensor& x, core::ConvGeometry& g, PadMode mode) {
  if (x.rank() != g.spatial + 2) return x;  // conv refuses it
  std::vector<i64> before(static_cast<std::size_t>(x.rank())), after = before;
  for (std::size_t i = 0; i < static_cast<std::size_t>(g.spatial); ++i) {
    before[2 + i] = std::exchange(g.padBefore[i], 0);
    after[2 + i] = std::exchange(g.padAfter[i], 0);
  }
  return pad(x, before, after, mode);
}

}  // namespace

Tensor convND(int spatial, const Tensor& x, const Tensor& w, const Tensor& b, const ConvOptions& options) {
  if (spatial < 1 || spatial > 3)
    throw ValueError("convND", "spatial is " + std::to_string(spatial) + ", must be 1, 2 or 3");
  const char* op = autograd::convName(spatial);
  const Shape none;  // of an undefined operand, which conv refuses
  core::ConvGeometry g = autograd::convGeometry(spatial, options, x.defined() ? x.shape() : none,
                                                w.defined() ? w.shape() : none, op);
  const core::FusedAct act = autograd::fusedAct(options.act, options.slope);
  if (options.paddingMode == PadMode::Zeros) return autograd::conv(x, w, b, g, act);
  autograd::checkOperands(op, {&x, &w, b.defined() ? &b : nullptr});
  autograd::checkFloating(op, x);
  return autograd::conv(padded(x, g, options.paddingMode), w, b, g, act);
}

Tensor conv1d(const Tensor& x, const Tensor& w, const Tensor& b, const ConvOptions& options) {
  return convND(1, x, w, b, options);
}
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& b, const ConvOptions& options) {
  return convND(2, x, w, b, options);
}
Tensor conv3d(const Tensor& x, const Tensor& w, const Tensor& b, const ConvOptions& options) {
  return convND(3, x, w, b, options);
}

}  // namespace ember
