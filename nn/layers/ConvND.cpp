#include <ember/nn/layers/ConvND.h>

#include <algorithm>
#include <cmath>

#include <ember/autograd/ops/Conv.h>
#include <ember/core/Error.h>
#include <ember/nn/Fusion.h>
#include <ember/nn/Init.h>

namespace ember::nn {
namespace {

std::string typeOf(int spatial) { return "Conv" + std::to_string(spatial) + "D"; }

std::string times(const std::array<i64, 3>& sizes, int spatial) {
  std::string text = std::to_string(sizes[0]);
  for (int i = 1; i < spatial; ++i) text += "x" + std::to_string(sizes[static_cast<std::size_t>(i)]);
  return text;
}

}  // namespace

ConvND::ConvND(int spatial, i64 in, i64 out, ConvOptions options)
    : AffineLayer(std::move(options)), spatial_(spatial), in_(in), out_(out) {
  const std::string type = typeOf(spatial);
  const auto refuse = [&](const std::string& what, const char* help) { throw ValueError(type, what, {}, help); };
  if (in < 1 || out < 1)
    refuse(std::to_string(in) + " input and " + std::to_string(out) + " output channels", "both must be 1 or more");
  const i64 groups = options_.groups;
  if (groups < 1) refuse("groups is " + std::to_string(groups), "use 1 or more");
  if (in % groups != 0 || out % groups != 0) {
    refuse("groups = " + std::to_string(groups) + " does not divide " + std::to_string(in) + " input and " +
               std::to_string(out) + " output channels",
           "choose a common divisor of both");
  }
  const auto check = [&](const Sizes& sizes, const char* what, i64 least) {
    for (int i = 0; i < spatial; ++i) {
      if (const i64 size = sizes.at(i, spatial, type.c_str(), what); size < least) {
        refuse(std::string(what) + " is " + std::to_string(size), least == 0 ? "use 0 or more" : "use 1 or more");
      }
    }
  };
  check(options_.kernel, "kernel", 1);
  check(options_.stride, "stride", 1);
  check(options_.padding, "padding", 0);
  check(options_.dilation, "dilation", 1);
  Shape shape{out, in / groups};
  for (int i = 0; i < spatial; ++i) shape.push(options_.kernel.at(i, spatial, type.c_str(), "kernel"));
  weight = addParameter("weight", Tensor::empty(shape));
  const double bound = 1 / std::sqrt(static_cast<double>(init::fansOf(shape).in));
  init::uniform_(weight, -bound, bound);
  if (options_.bias) {
    bias = addParameter("bias", Tensor::empty({out}));
    init::uniform_(bias, -bound, bound);
  }
}

Tensor ConvND::forward(const Tensor& x, Act act, double slope) {
  return convND(spatial_, x, weight, bias,
                {.stride = options_.stride,
                 .padding = options_.padding,
                 .dilation = options_.dilation,
                 .groups = options_.groups,
                 .act = act,
                 .slope = slope});
}

Args ConvND::args() const {
  Args a{{"in", in_},
         {"out", out_},
         {"kernel", options_.kernel.vector()},
         {"stride", options_.stride.vector()},
         {"padding", options_.padding.vector()},
         {"dilation", options_.dilation.vector()},
         {"groups", options_.groups},
         {"bias", options_.bias}};
  putActivation(a, options_.act, options_.slope);
  return a;
}

ConvOptions ConvND::optionsOf(const Args& a) {
  return {.kernel = a.get<std::vector<i64>>("kernel"),
          .stride = a.get<std::vector<i64>>("stride"),
          .padding = a.get<std::vector<i64>>("padding"),
          .dilation = a.get<std::vector<i64>>("dilation"),
          .groups = a.get<i64>("groups"),
          .bias = a.get<bool>("bias"),
          .act = activationOf(a),
          .slope = a.get<double>("slope", 0.01)};
}

std::string ConvND::details() const {
  const auto sizes = [&](const Sizes& all) { return all.over(spatial_, "Conv", "size"); };
  std::string text =
      std::to_string(in_) + " -> " + std::to_string(out_) + ", " + times(sizes(options_.kernel), spatial_);
  // One number where all axes have the same, nothing where it is the default.
  const auto add = [&](const char* what, const Sizes& all, i64 usual) {
    const std::array<i64, 3> each = sizes(all);
    const bool same = std::all_of(each.begin(), each.begin() + spatial_, [&](i64 size) { return size == each[0]; });
    if (same && each[0] == usual) return;
    text += std::string(", ") + what + " " + (same ? std::to_string(each[0]) : times(each, spatial_));
  };
  add("stride", options_.stride, 1);
  add("padding", options_.padding, 0);
  add("dilation", options_.dilation, 1);
  if (options_.groups != 1) text += ", groups " + std::to_string(options_.groups);
  if (!options_.bias) text += ", no bias";
  text += describeActivation(options_.act, options_.slope);
  return text;
}

}  // namespace ember::nn
