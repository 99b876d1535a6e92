#include <ember/autograd/ops/ConvTranspose.h>

#include <algorithm>
#include <string>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Conv.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>

// The gradient of a convolution in its input, as a map of its own: see Conv.cpp. Output padding of a stride or more
// (with a dilation above the stride) would make one input more of the convolution; then the result is made without and
// moved against the padding behind, or zeros are added where that is too little.

namespace ember {

using namespace autograd;

namespace {

const char* opName(int spatial) {
  return spatial == 1 ? "convTranspose1d" : spatial == 3 ? "convTranspose3d" : "convTranspose2d";
}

/// The convolution whose adjoint this is, its input, and zeros to put behind that.
struct Adjoint {
  core::ConvGeometry geometry;
  Shape input;
  std::vector<i64> behind;
  bool extends = false;
};

void checkAtLeast(const char* op, const char* what, i64 value, i64 least) {
  if (value >= least) return;
  throw ValueError(op,
                   std::string(what) + " is " + std::to_string(value) + ", must be at least " + std::to_string(least));
}

void checkOperandShapes(int spatial, const Tensor& x, const Tensor& w, const Tensor& b, i64 groups, const char* op) {
  const Error::Details details{{"input", "x " + toString(x.shape())},
                               {"filters", "w " + toString(w.shape()) + "      groups = " + std::to_string(groups)}};
  const int rank = spatial + 2;
  if (x.rank() != rank || w.rank() != rank) {
    throw ShapeError(op,
                     std::string(x.rank() != rank ? "input has" : "filters have") + " rank " +
                         std::to_string(x.rank() != rank ? x.rank() : w.rank()) + ", expected " + std::to_string(rank),
                     details, "filters are [input channels, filters / groups, kernel sizes]");
  }
  checkAtLeast(op, "groups", groups, 1);
  if (x.size(1) != w.size(0)) {
    throw ShapeError(
        op, "input has " + std::to_string(x.size(1)) + " channels, filters expect " + std::to_string(w.size(0)),
        details, "build the layer with " + std::to_string(x.size(1)) + " input channels");
  }
  if (x.size(1) % groups != 0) {
    throw ValueError(
        op,
        "groups = " + std::to_string(groups) + " does not divide the " + std::to_string(x.size(1)) + " input channels",
        details, "choose a number of groups that divides them");
  }
  if (!b.defined()) return;
  checkSameDtype(op, x, b, "x", "b");
  const i64 filters = checkedMul(w.size(1), groups);
  if (b.shape() == Shape{filters}) return;
  throw ShapeError(op,
                   "bias is " + toString(b.shape()) + ", " + std::to_string(filters) + " filters need [" +
                       std::to_string(filters) + "]",
                   details, "give one bias a filter, or none");
}

Adjoint adjointOf(int spatial, const Tensor& x, const Tensor& w, const ConvTransposeOptions& o, const char* op) {
  if (o.padding.same()) {
    throw ValueError(op, "padding is Same, but several inputs of a convolution have one size", {},
                     "give numbers: Padding::sides(before, after)");
  }
  Adjoint a;
  core::ConvGeometry& g = a.geometry;
  g.spatial = spatial;
  g.groups = o.groups;
  g.stride = o.stride.over(spatial, op, "stride");
  g.dilation = o.dilation.over(spatial, op, "dilation");
  const Padding::Sides sides =
      o.padding.over(spatial, x.shape().begin() + 2, w.shape().begin() + 2, g.stride, g.dilation, op);
  g.padBefore = sides.before;
  g.padAfter = sides.after;
  a.input = {x.size(0), checkedMul(w.size(1), o.groups)};
  a.behind.assign(static_cast<std::size_t>(spatial) + 2, 0);
  for (int i = 0; i < spatial; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    const i64 extra = o.outputPadding.at(i, spatial, op, "outputPadding"), kernel = w.size(2 + i), size = x.size(2 + i);
    checkAtLeast(op, "stride", g.stride[axis], 1);
    checkAtLeast(op, "dilation", g.dilation[axis], 1);
    checkAtLeast(op, "padding", std::min(g.padBefore[axis], g.padAfter[axis]), 0);
    checkAtLeast(op, "outputPadding", extra, 0);
    if (kernel < 1) throw ShapeError(op, "kernel size is " + std::to_string(kernel) + ", must be at least 1");
    if (const i64 most = std::max(g.stride[axis], g.dilation[axis]); extra >= most) {
      throw ValueError(op,
                       "outputPadding is " + std::to_string(extra) + ", must be below the stride " +
                           std::to_string(g.stride[axis]) + " or the dilation " + std::to_string(g.dilation[axis]),
                       {}, "it chooses among the inputs for which a convolution has results of one size");
    }
    if (extra >= g.stride[axis]) {
      a.behind[axis + 2] = std::max<i64>(extra - g.padAfter[axis], 0);
      g.padAfter[axis] = std::max<i64>(g.padAfter[axis] - extra, 0);
      a.extends = a.extends || a.behind[axis + 2] > 0;
    }
    const i64 reach = checkedAdd(checkedMul(size - 1, g.stride[axis]), checkedMul(kernel - 1, g.dilation[axis]));
    const i64 cut = checkedAdd(g.padBefore[axis], g.padAfter[axis]);
    const i64 result = checkedAdd(reach, 1 + (extra >= g.stride[axis] ? 0 : extra)) - cut;
    if (size < 1 || result < 1) {
      throw ShapeError(op,
                       "axis " + std::to_string(2 + i) + " of the result would have " +
                           std::to_string(size < 1 ? 0 : std::max<i64>(result, 0)) + " elements",
                       {{"input", "x " + toString(x.shape())}, {"filters", "w " + toString(w.shape())}},
                       "use less padding or a larger input");
    }
    a.input.push(result);
  }
  numel(a.input);  // throws if it overflows
  return a;
}

}  // namespace

Tensor convTransposeND(int spatial, const Tensor& x, const Tensor& w, const Tensor& b,
                       const ConvTransposeOptions& options) {
  if (spatial < 1 || spatial > 3)
    throw ValueError("convTransposeND", "spatial is " + std::to_string(spatial) + ", must be 1, 2 or 3");
  const char* op = opName(spatial);
  checkOperands(op, {&x, &w, b.defined() ? &b : nullptr});
  checkFloating(op, x);
  checkSameDtype(op, x, w, "x", "w");
  checkOperandShapes(spatial, x, w, b, options.groups, op);
  const Adjoint a = adjointOf(spatial, x, w, options, op);
  if (x.isShapeOnly() || w.isShapeOnly()) {
    i64 perInput = 1;
    for (int i = 1; i < w.rank(); ++i) perInput = checkedMul(perInput, w.size(i));
    multiplyAdds() = checkedAdd(multiplyAdds(), checkedMul(x.numel(), perInput));
  }
  Tensor y = convBackwardData(x, w, a.input, a.geometry, op);
  if (a.extends) y = pad(y, std::vector<i64>(a.behind.size(), 0), a.behind);
  if (!b.defined()) return y;
  Shape perChannel = Shape::filled(spatial + 2, 1);
  perChannel[1] = b.size(0);
  return y + reshape(b, perChannel);
}

Tensor convTranspose1d(const Tensor& x, const Tensor& w, const Tensor& b, const ConvTransposeOptions& options) {
  return convTransposeND(1, x, w, b, options);
}
Tensor convTranspose2d(const Tensor& x, const Tensor& w, const Tensor& b, const ConvTransposeOptions& options) {
  return convTransposeND(2, x, w, b, options);
}
Tensor convTranspose3d(const Tensor& x, const Tensor& w, const Tensor& b, const ConvTransposeOptions& options) {
  return convTransposeND(3, x, w, b, options);
}

}  // namespace ember
