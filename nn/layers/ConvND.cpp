#include <ember/nn/layers/ConvND.h>

#include <ember/autograd/ops/Conv.h>
#include <ember/nn/Fusion.h>
#include <ember/nn/Init.h>
#include <ember/nn/layers/SpatialArgs.h>

namespace ember::nn {
namespace {

std::string typeOf(int spatial) { return "Conv" + std::to_string(spatial) + "D"; }

}  // namespace

ConvND::ConvND(int spatial, i64 in, i64 out, ConvOptions options)
    : AffineLayer(std::move(options)), spatial_(spatial), in_(in), out_(out) {
  const std::string type = typeOf(spatial);
  checkChannels(type, in, out, options_.groups);
  checkSizes(type, "kernel", options_.kernel, spatial, 1);
  checkSizes(type, "stride", options_.stride, spatial, 1);
  options_.padding.check(spatial, type.c_str());
  checkSizes(type, "dilation", options_.dilation, spatial, 1);
  Shape shape{out, in / options_.groups};
  for (int i = 0; i < spatial; ++i) shape.push(options_.kernel.at(i, spatial, type.c_str(), "kernel"));
  weight = addParameter("weight", init::blank(shape));
  if (options_.bias) bias = addParameter("bias", init::blank({out}));
  init::uniformByInputs_(weight, bias, init::fansOf(shape).in);
}

Tensor ConvND::forward(const Tensor& x, Act act, double slope) {
  return convND(spatial_, x, weight, bias,
                {.stride = options_.stride,
                 .padding = options_.padding,
                 .paddingMode = options_.paddingMode,
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
         {"padding", paddingArg(options_.padding)},
         {"dilation", options_.dilation.vector()},
         {"groups", options_.groups},
         {"bias", options_.bias}};
  // Left out where it is zeros: files of nets without it stay as they were.
  if (options_.paddingMode != PadMode::Zeros) a.set("paddingMode", ember::name(options_.paddingMode));
  putActivation(a, options_.act, options_.slope);
  return a;
}

ConvOptions ConvND::optionsOf(const Args& a) {
  return {.kernel = a.get<std::vector<i64>>("kernel"),
          .stride = a.get<std::vector<i64>>("stride"),
          .padding = paddingOf(a),
          .paddingMode = padMode(a.get<std::string>("paddingMode", "zeros")),
          .dilation = a.get<std::vector<i64>>("dilation"),
          .groups = a.get<i64>("groups"),
          .bias = a.get<bool>("bias"),
          .act = activationOf(a),
          .slope = a.get<double>("slope", 0.01)};
}

std::string ConvND::details() const {
  std::string text = std::to_string(in_) + " -> " + std::to_string(out_) + ", " +
                     timesText(options_.kernel.over(spatial_, "Conv", "kernel"), spatial_);
  text += sizesText("stride", options_.stride, spatial_, 1) + paddingText(options_.padding, spatial_);
  if (options_.paddingMode != PadMode::Zeros) text += " " + std::string(ember::name(options_.paddingMode));
  text += sizesText("dilation", options_.dilation, spatial_, 1);
  if (options_.groups != 1) text += ", groups " + std::to_string(options_.groups);
  if (!options_.bias) text += ", no bias";
  text += describeActivation(options_.act, options_.slope);
  return text;
}

}  // namespace ember::nn
