#include <ember/nn/layers/AdaptivePoolND.h>

#include <ember/autograd/ops/AdaptivePool.h>
#include <ember/core/Error.h>
#include <ember/nn/layers/SpatialArgs.h>

namespace ember::nn {

AdaptivePoolND::AdaptivePoolND(Kind kind, int spatial, const Sizes& size)
    : kind_(kind), spatial_(spatial), size_(size) {
  const std::string type = (kind == Kind::Max ? "AdaptiveMaxPool" : "AdaptiveAvgPool") + std::to_string(spatial) + "D";
  for (int i = 0; i < spatial; ++i) {
    if (const i64 each = size.at(i, spatial, type.c_str(), "size"); each < 1 && each != -1) {
      throw ValueError(type, "size is " + std::to_string(each), {}, "use 1 or more, or -1 for the size of the input");
    }
  }
}

Tensor AdaptivePoolND::forward(const Tensor& x) {
  return kind_ == Kind::Max ? adaptiveMaxPoolND(spatial_, x, size_) : adaptiveAvgPoolND(spatial_, x, size_);
}

std::string AdaptivePoolND::details() const { return "to " + shortText(size_, spatial_); }

}  // namespace ember::nn
