#include <ember/nn/layers/UnpoolND.h>

#include <ember/autograd/ops/Unpool.h>
#include <ember/core/Error.h>
#include <ember/nn/layers/SpatialArgs.h>

namespace ember::nn {

MaxUnpoolND::MaxUnpoolND(int spatial, UnpoolOptions options) : spatial_(spatial), options_(std::move(options)) {
  const std::string type = "MaxUnpool" + std::to_string(spatial) + "D";
  if (!options_.stride.set()) options_.stride = options_.kernel;
  checkSizes(type, "kernel", options_.kernel, spatial, 1);
  checkSizes(type, "stride", options_.stride, spatial, 1);
  checkSizes(type, "padding", options_.padding, spatial, 0);
  if (options_.outputSize.set()) checkSizes(type, "outputSize", options_.outputSize, spatial, 1);
}

Tensors MaxUnpoolND::forward(const Tensors& inputs) {
  if (inputs.size() != 2) {
    throw ShapeError(typeName(), "forward takes a tensor and its indices, got " + std::to_string(inputs.size()), {},
                     "call it with (x, indices), both from a MaxPool with returnIndices");
  }
  const Tensor& x = inputs[0];
  Sizes size = options_.outputSize;
  if (!size.set() && x.defined() && x.rank() == spatial_ + 2) {
    std::vector<i64> each;
    for (int i = 0; i < spatial_; ++i) {
      const auto at = [&](const Sizes& sizes) { return sizes.at(i, spatial_, "MaxUnpool", "size"); };
      each.push_back(checkedAdd(checkedMul(x.size(2 + i) - 1, at(options_.stride)),
                                at(options_.kernel) - checkedMul(2, at(options_.padding))));
    }
    size = each;
  }
  return {maxUnpoolND(spatial_, x, inputs[1], size)};
}

Args MaxUnpoolND::args() const {
  Args value{{"kernel", options_.kernel.vector()},
             {"stride", options_.stride.vector()},
             {"padding", options_.padding.vector()}};
  if (options_.outputSize.set()) value.set("outputSize", options_.outputSize.vector());
  return value;
}

UnpoolOptions MaxUnpoolND::optionsOf(const Args& a) {
  UnpoolOptions options{.kernel = a.get<std::vector<i64>>("kernel"),
                        .stride = a.get<std::vector<i64>>("stride"),
                        .padding = a.get<std::vector<i64>>("padding")};
  if (a.has("outputSize")) options.outputSize = a.get<std::vector<i64>>("outputSize");
  return options;
}

std::string MaxUnpoolND::details() const {
  const std::string kernel = shortText(options_.kernel, spatial_), stride = shortText(options_.stride, spatial_);
  std::string text = kernel;
  if (stride != kernel) text += ", stride " + stride;
  text += sizesText("padding", options_.padding, spatial_, 0);
  if (options_.outputSize.set()) text += ", to " + shortText(options_.outputSize, spatial_);
  return text;
}

}  // namespace ember::nn
