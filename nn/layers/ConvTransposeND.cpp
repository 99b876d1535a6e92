#include <ember/nn/layers/ConvTransposeND.h>

#include <algorithm>

#include <ember/autograd/ops/ConvTranspose.h>
#include <ember/core/Error.h>
#include <ember/nn/Init.h>
#include <ember/nn/layers/SpatialArgs.h>

namespace ember::nn {

ConvTransposeND::ConvTransposeND(int spatial, i64 in, i64 out, ConvTransposeOptions options)
    : spatial_(spatial), in_(in), out_(out), options_(std::move(options)) {
  const std::string type = "ConvTranspose" + std::to_string(spatial) + "D";
  checkChannels(type, in, out, options_.groups);
  checkSizes(type, "kernel", options_.kernel, spatial, 1);
  checkSizes(type, "stride", options_.stride, spatial, 1);
  checkSizes(type, "dilation", options_.dilation, spatial, 1);
  checkSizes(type, "outputPadding", options_.outputPadding, spatial, 0);
  options_.padding.check(spatial, type.c_str());
  if (options_.padding.same()) {
    throw ValueError(type, "padding is Same, but several inputs of a convolution have one size", {},
                     "give numbers: Padding::sides(before, after)");
  }
  for (int i = 0; i < spatial; ++i) {
    const auto at = [&](const Sizes& sizes) { return sizes.at(i, spatial, type.c_str(), "size"); };
    if (const i64 extra = at(options_.outputPadding); extra >= std::max(at(options_.stride), at(options_.dilation))) {
      throw ValueError(type, "outputPadding is " + std::to_string(extra), {},
                       "use less than the stride or the dilation");
    }
  }
  Shape shape{in, out / options_.groups};
  for (int i = 0; i < spatial; ++i) shape.push(options_.kernel.at(i, spatial, type.c_str(), "kernel"));
  weight = addParameter("weight", init::blank(shape));
  if (options_.bias) bias = addParameter("bias", init::blank({out}));
  init::uniformByInputs_(weight, bias, init::fansOf(shape).in);
}

Tensor ConvTransposeND::forward(const Tensor& x) {
  return convTransposeND(spatial_, x, weight, bias,
                         {.stride = options_.stride,
                          .padding = options_.padding,
                          .outputPadding = options_.outputPadding,
                          .dilation = options_.dilation,
                          .groups = options_.groups});
}

Args ConvTransposeND::args() const {
  return {{"in", in_},
          {"out", out_},
          {"kernel", options_.kernel.vector()},
          {"stride", options_.stride.vector()},
          {"padding", paddingArg(options_.padding)},
          {"outputPadding", options_.outputPadding.vector()},
          {"dilation", options_.dilation.vector()},
          {"groups", options_.groups},
          {"bias", options_.bias}};
}

ConvTransposeOptions ConvTransposeND::optionsOf(const Args& a) {
  return {.kernel = a.get<std::vector<i64>>("kernel"),
          .stride = a.get<std::vector<i64>>("stride"),
          .padding = paddingOf(a),
          .outputPadding = a.get<std::vector<i64>>("outputPadding"),
          .dilation = a.get<std::vector<i64>>("dilation"),
          .groups = a.get<i64>("groups"),
          .bias = a.get<bool>("bias")};
}

std::string ConvTransposeND::details() const {
  std::string text = std::to_string(in_) + " -> " + std::to_string(out_) + ", " +
                     timesText(options_.kernel.over(spatial_, "ConvTranspose", "kernel"), spatial_);
  text += sizesText("stride", options_.stride, spatial_, 1) + paddingText(options_.padding, spatial_);
  text += sizesText("output padding", options_.outputPadding, spatial_, 0);
  text += sizesText("dilation", options_.dilation, spatial_, 1);
  if (options_.groups != 1) text += ", groups " + std::to_string(options_.groups);
  if (!options_.bias) text += ", no bias";
  return text;
}

}  // namespace ember::nn
