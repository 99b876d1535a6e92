#include <ember/nn/layers/ShapeLayers.h>

#include <algorithm>

#include <ember/autograd/ops/Rearrange.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>

namespace ember::nn {
namespace {

void checkSizes(const char* type, const Shape& sizes) {
  const auto refuse = [&](const std::string& what) {
    throw ValueError(type, what, {{"sizes", ember::toString(sizes)}},
                     "use sizes of 1 or more, and at most one -1 for the rest");
  };
  if (sizes.empty()) refuse("no sizes were given");
  if (std::count(sizes.begin(), sizes.end(), -1) > 1) refuse("more than one size is -1");
  for (const i64 size : sizes) {
    if (size < 1 && size != -1) refuse("a size is " + std::to_string(size));
  }
}

/// The sizes with the number that makes `count` elements in place of -1.
Shape fitted(const char* type, const Shape& x, i64 count, Shape sizes) {
  i64 known = 1;
  for (const i64 size : sizes) known = size == -1 ? known : checkedMul(known, size);
  const auto open = std::find(sizes.begin(), sizes.end(), -1);
  if (open == sizes.end() ? known != count : count % known != 0) {
    throw ShapeError(type,
                     std::to_string(count) + " elements do not fit the sizes " + ember::toString(sizes) +
                         ", which hold " + (open == sizes.end() ? "" : "a multiple of ") + std::to_string(known),
                     {{"input", "x " + ember::toString(x)}}, "make the product of the sizes equal");
  }
  if (open != sizes.end()) *open = count / known;
  return sizes;
}

}  // namespace

Unflatten::Unflatten(int axis, const Shape& sizes) : axis_(axis), sizes_(sizes) { checkSizes("Unflatten", sizes); }

Tensor Unflatten::forward(const Tensor& x) {
  const int axis = normalizeAxis(axis_, x.rank(), "Unflatten");
  const Shape parts = fitted("Unflatten", x.shape(), x.size(axis), sizes_);
  Shape shape;
  for (int i = 0; i < x.rank(); ++i) {
    if (i != axis) shape.push(x.size(i));
    for (int k = 0; i == axis && k < parts.rank(); ++k) shape.push(parts[k]);
  }
  return reshape(x, shape);
}

std::string Unflatten::details() const { return "axis " + std::to_string(axis_) + " to " + ember::toString(sizes_); }

Reshape::Reshape(const Shape& sample) : sample_(sample) { checkSizes("Reshape", sample); }

Tensor Reshape::forward(const Tensor& x) {
  if (x.rank() == 0) {
    throw ShapeError("Reshape", "x is a number, without an axis of samples", {}, "give it [N, ...]");
  }
  i64 count = 1;  // of one sample: an empty batch has no say in it
  for (int i = 1; i < x.rank(); ++i) count = checkedMul(count, x.size(i));
  Shape shape = fitted("Reshape", x.shape(), count, sample_);
  shape.insert(0, x.size(0));
  return reshape(x, shape);
}

Tensor Permute::forward(const Tensor& x) { return permute(x, axes_); }
Tensor SwapAxes::forward(const Tensor& x) { return transpose(x, first_, second_); }

Slice::Slice(int axis, i64 start, i64 stop, i64 step) : axis_(axis), start_(start), stop_(stop), step_(step) {
  if (step < 1) throw ValueError("Slice", "step is " + std::to_string(step), {}, "use 1 or more");
}

Tensor Slice::forward(const Tensor& x) { return slice(x, axis_, start_, stop_, step_); }

Args Slice::args() const {
  Args a{{"axis", axis_}, {"start", start_}};
  if (stop_ != toEnd) a.set("stop", stop_);
  return a.set("step", step_);
}

Slice Slice::fromArgs(const Args& a) {
  return Slice(a.get<int>("axis"), a.get<i64>("start"), a.get<i64>("stop", toEnd), a.get<i64>("step"));
}

std::string Slice::details() const {
  std::string text = "axis " + std::to_string(axis_) + ", " + std::to_string(start_) + ":";
  if (stop_ != toEnd) text += std::to_string(stop_);
  if (step_ != 1) text += ":" + std::to_string(step_);
  return text;
}

Tile::Tile(std::vector<i64> times) : times_(std::move(times)) {
  if (times_.empty() || *std::min_element(times_.begin(), times_.end()) < 1) {
    throw ValueError("Tile", "times is " + Value(times_).dump(), {}, "give one number of 1 or more for each axis");
  }
}

Tensor Tile::forward(const Tensor& x) {
  const int count = static_cast<int>(times_.size());
  if (count > x.rank()) {
    throw ShapeError("Tile", std::to_string(count) + " numbers for the " + std::to_string(x.rank()) + " axes of x " +
                                 ember::toString(x.shape()),
                     {}, "give one number for each axis, or for the last ones");
  }
  std::vector<i64> all(static_cast<std::size_t>(x.rank() - count), 1);
  all.insert(all.end(), times_.begin(), times_.end());
  return repeat(x, all);
}

Tensor Cast::forward(const Tensor& x) { return cast(x, dtype_); }
Tensor Sum::forward(const Tensor& x) { return sum(x, axes_, keepDims_); }

std::string Sum::details() const {
  return (axes_.empty() ? "all axes" : "axes " + Value(axes_).dump()) + (keepDims_ ? ", kept" : "");
}

}  // namespace ember::nn
