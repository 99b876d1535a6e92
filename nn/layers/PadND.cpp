#include <ember/nn/layers/PadND.h>

#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/nn/layers/SpatialArgs.h>

namespace ember::nn {
namespace {

std::string typeOf(int spatial) { return "Pad" + std::to_string(spatial) + "D"; }

}  // namespace

PadND::PadND(int spatial, PadOptions options) : spatial_(spatial), options_(std::move(options)) {
  if (!options_.after.set()) options_.after = options_.before;
  const std::string type = typeOf(spatial);
  checkSizes(type, "before", options_.before, spatial, 0);
  checkSizes(type, "after", options_.after, spatial, 0);
  if (options_.mode != PadMode::Zeros && options_.value != 0) {
    throw ValueError(type, "a value with the mode " + std::string(ember::name(options_.mode)), {},
                     "a value stands around with PadMode::Zeros alone");
  }
}

Tensor PadND::forward(const Tensor& x) {
  const std::string type = typeOf(spatial_);
  if (x.rank() != spatial_ + 2) {
    throw ShapeError(type, "x " + ember::toString(x.shape()) + " has rank " + std::to_string(x.rank()) + ", expected " +
                               std::to_string(spatial_ + 2),
                     {}, "give it [N, C, ...] with " + std::to_string(spatial_) + " spatial axes");
  }
  std::vector<i64> before{0, 0}, after{0, 0};
  for (int i = 0; i < spatial_; ++i) {
    before.push_back(options_.before.at(i, spatial_, type.c_str(), "before"));
    after.push_back(options_.after.at(i, spatial_, type.c_str(), "after"));
  }
  if (options_.mode != PadMode::Zeros) return pad(x, before, after, options_.mode);
  return pad(x, before, after, options_.value);
}

Args PadND::args() const {
  return {{"before", options_.before.vector()}, {"after", options_.after.vector()},
          {"mode", ember::name(options_.mode)}, {"value", options_.value}};
}

PadOptions PadND::optionsOf(const Args& a) {
  return {.before = a.get<std::vector<i64>>("before"),
          .after = a.get<std::vector<i64>>("after"),
          .mode = padMode(a.get<std::string>("mode")),
          .value = a.get<double>("value")};
}

std::string PadND::details() const {
  std::string all = shortText(options_.before, spatial_);
  if (!(options_.after == options_.before)) all += " and " + shortText(options_.after, spatial_);
  if (options_.mode != PadMode::Zeros) all += ", " + std::string(ember::name(options_.mode));
  if (options_.value != 0) all += " of " + Value(options_.value).dump();
  return all;
}

}  // namespace ember::nn
