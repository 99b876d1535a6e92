#include <ember/nn/layers/PoolND.h>

#include <ember/autograd/ops/Pool.h>
#include <ember/core/Error.h>
#include <ember/nn/layers/SpatialArgs.h>

namespace ember::nn {

PoolND::PoolND(Kind kind, int spatial, PoolOptions options)
    : kind_(kind), spatial_(spatial), options_(std::move(options)) {
  const std::string type = (kind == Kind::Max ? "MaxPool" : "AvgPool") + std::to_string(spatial) + "D";
  if (!options_.stride.set()) options_.stride = options_.kernel;
  checkSizes(type, "kernel", options_.kernel, spatial, 1);
  checkSizes(type, "stride", options_.stride, spatial, 1);
  checkSizes(type, "dilation", options_.dilation, spatial, 1);
  for (int i = 0; i < spatial; ++i) {
    const auto at = [&](const Sizes& sizes) { return sizes.at(i, spatial, type.c_str(), "size"); };
    const i64 dilation = at(options_.dilation),
              kernel = checkedAdd(checkedMul(at(options_.kernel) - 1, dilation), 1);
    if (kind == Kind::Average && dilation != 1) {
      throw ValueError(type, "dilation is " + std::to_string(dilation) + ", but a mean has none", {},
                       "leave it at 1");
    }
    for (const i64 padding : {options_.padding.before().at(i, spatial, type.c_str(), "padding"),
                              options_.padding.after().at(i, spatial, type.c_str(), "padding")}) {
      if (padding >= 0 && padding <= kernel / 2) continue;
      throw ValueError(type, "padding is " + std::to_string(padding) + " for a kernel of " + std::to_string(kernel), {},
                       "use 0 to half the kernel");
    }
  }
  if (kind == Kind::Max && options_.divisorOverride != 0)
    throw ValueError(type, "divisorOverride is set, but a maximum has none", {}, "leave it at 0");
  if (options_.divisorOverride < 0) {
    throw ValueError(type, "divisorOverride is " + std::to_string(options_.divisorOverride), {},
                     "use 1 or more, or 0 for the size of the window");
  }
  if (kind == Kind::Average && options_.returnIndices)
    throw ValueError(type, "returnIndices is set, but a mean has none", {}, "use a MaxPool");
}

ember::PoolOptions PoolND::opOptions() const {
  return {.kernel = options_.kernel,
          .stride = options_.stride,
          .padding = options_.padding,
          .dilation = options_.dilation,
          .ceilMode = options_.ceilMode,
          .countIncludePad = options_.countIncludePad,
          .divisorOverride = options_.divisorOverride};
}

Tensor PoolND::forward(const Tensor& x) {
  if (options_.returnIndices) {
    throw StateError(typeName(), "returnIndices makes two tensors where one was expected", {},
                     "call it with Tensors{x}");
  }
  return kind_ == Kind::Max ? maxPoolND(spatial_, x, opOptions()) : avgPoolND(spatial_, x, opOptions());
}

Tensors PoolND::forward(const Tensors& inputs) {
  if (!options_.returnIndices || inputs.size() != 1) return Module::forward(inputs);
  const PoolWithIndices result = maxPoolNDWithIndices(spatial_, inputs[0], opOptions());
  return {result.y, result.indices};
}

Args PoolND::args() const {
  Args value{{"kernel", options_.kernel.vector()},
             {"stride", options_.stride.vector()},
             {"padding", paddingArg(options_.padding)}};
  if (kind_ == Kind::Average) value.set("countIncludePad", options_.countIncludePad);
  // Left out where they are as ever: files of nets without them stay as they were.
  if (!(options_.dilation == Sizes(1))) value.set("dilation", options_.dilation.vector());
  if (options_.ceilMode) value.set("ceilMode", true);
  if (options_.divisorOverride != 0) value.set("divisorOverride", options_.divisorOverride);
  if (options_.returnIndices) value.set("returnIndices", true);
  return value;
}

PoolOptions PoolND::optionsOf(const Args& a) {
  return {.kernel = a.get<std::vector<i64>>("kernel"),
          .stride = a.get<std::vector<i64>>("stride"),
          .padding = paddingOf(a),
          .dilation = a.get<std::vector<i64>>("dilation", {1}),
          .ceilMode = a.get<bool>("ceilMode", false),
          .countIncludePad = a.get<bool>("countIncludePad", true),
          .divisorOverride = a.get<i64>("divisorOverride", 0),
          .returnIndices = a.get<bool>("returnIndices", false)};
}

std::string PoolND::details() const {
  const std::string kernel = shortText(options_.kernel, spatial_), stride = shortText(options_.stride, spatial_);
  std::string text = kernel;
  if (stride != kernel) text += ", stride " + stride;
  text += paddingText(options_.padding, spatial_) + sizesText("dilation", options_.dilation, spatial_, 1);
  if (options_.ceilMode) text += ", ceil mode";
  if (!options_.countIncludePad) text += ", padding not counted";
  if (options_.divisorOverride != 0) text += ", divisor " + std::to_string(options_.divisorOverride);
  if (options_.returnIndices) text += ", with indices";
  return text;
}

Tensor GlobalMaxPool::forward(const Tensor& x) { return globalMaxPool(x); }
Tensor GlobalAvgPool::forward(const Tensor& x) { return globalAvgPool(x); }

}  // namespace ember::nn
