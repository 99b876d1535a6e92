#include <ember/nn/layers/PoolND.h>

#include <ember/autograd/ops/Pool.h>
#include <ember/core/Error.h>

namespace ember::nn {

PoolND::PoolND(Kind kind, int spatial, PoolOptions options)
    : kind_(kind), spatial_(spatial), options_(std::move(options)) {
  const std::string type = (kind == Kind::Max ? "MaxPool" : "AvgPool") + std::to_string(spatial) + "D";
  if (!options_.stride.set()) options_.stride = options_.kernel;
  for (int i = 0; i < spatial; ++i) {
    const i64 kernel = options_.kernel.at(i, spatial, type.c_str(), "kernel"),
              stride = options_.stride.at(i, spatial, type.c_str(), "stride"),
              padding = options_.padding.at(i, spatial, type.c_str(), "padding");
    if (kernel < 1) throw ValueError(type, "kernel is " + std::to_string(kernel), {}, "use 1 or more");
    if (stride < 1) throw ValueError(type, "stride is " + std::to_string(stride), {}, "use 1 or more");
    if (padding < 0 || padding > kernel / 2) {
      throw ValueError(type, "padding is " + std::to_string(padding) + " for a kernel of " + std::to_string(kernel), {},
                       "use 0 to half the kernel");
    }
  }
}

Tensor PoolND::forward(const Tensor& x) {
  const ember::PoolOptions options{.kernel = options_.kernel,
                                   .stride = options_.stride,
                                   .padding = options_.padding,
                                   .countIncludePad = options_.countIncludePad};
  return kind_ == Kind::Max ? maxPoolND(spatial_, x, options) : avgPoolND(spatial_, x, options);
}

Args PoolND::args() const {
  Args value{{"kernel", options_.kernel.vector()},
             {"stride", options_.stride.vector()},
             {"padding", options_.padding.vector()}};
  if (kind_ == Kind::Average) value.set("countIncludePad", options_.countIncludePad);
  return value;
}

PoolOptions PoolND::optionsOf(const Args& a) {
  return {.kernel = a.get<std::vector<i64>>("kernel"),
          .stride = a.get<std::vector<i64>>("stride"),
          .padding = a.get<std::vector<i64>>("padding"),
          .countIncludePad = a.get<bool>("countIncludePad", true)};
}

std::string PoolND::details() const {
  const auto times = [&](const Sizes& sizes) {
    std::string text;
    for (const i64 size : sizes.vector()) text += (text.empty() ? "" : "x") + std::to_string(size);
    return text;
  };
  std::string text = times(options_.kernel);
  if (!(options_.stride == options_.kernel)) text += ", stride " + times(options_.stride);
  if (!(options_.padding == Sizes(0))) text += ", padding " + times(options_.padding);
  return text;
}

Tensor GlobalAvgPool::forward(const Tensor& x) { return globalAvgPool(x); }

}  // namespace ember::nn
