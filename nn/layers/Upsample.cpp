#include <ember/nn/layers/Upsample.h>

#include <cmath>

#include <ember/core/Error.h>
#include <ember/nn/layers/SpatialArgs.h>

namespace ember::nn {
namespace {

void checkFactor(const char* type, i64 factor) {
  if (factor < 1) throw ValueError(type, "factor is " + std::to_string(factor), {}, "use 1 or more");
}

}  // namespace

Upsample::Upsample(InterpolateOptions options) : options_(std::move(options)) {
  const bool nearest = options_.mode == Interpolation::Nearest || options_.mode == Interpolation::NearestExact;
  if (options_.size.set() == !options_.scale.empty()) {
    throw ValueError("Upsample", options_.size.set() ? "size and scale are given" : "neither size nor scale is given",
                     {}, "give one of the two");
  }
  if (options_.size.set()) checkSizes("Upsample", "size", options_.size, options_.size.count(), 1);
  for (const double scale : options_.scale) {
    if (!(scale > 0) || std::isinf(scale))
      throw ValueError("Upsample", "scale is " + std::to_string(scale), {}, "use a number above 0");
  }
  if (options_.scale.size() > 3) {
    throw ValueError("Upsample", "scale has " + std::to_string(options_.scale.size()) + " numbers", {},
                     "give one for all spatial axes, or one for each of 1 to 3");
  }
  if (nearest && options_.alignCorners) {
    throw ValueError("Upsample", "alignCorners says nothing for " + std::string(ember::name(options_.mode)), {},
                     "leave it false");
  }
}

Args Upsample::args() const {
  Args a = Args::object();
  if (options_.size.set()) a.set("size", options_.size.vector());
  if (!options_.scale.empty()) a.set("scale", options_.scale);
  a.set("mode", ember::name(options_.mode));
  if (options_.alignCorners) a.set("alignCorners", true);
  return a;
}

Upsample Upsample::fromArgs(const Args& a) {
  InterpolateOptions options;
  if (a.has("size")) options.size = a.get<std::vector<i64>>("size");
  options.scale = a.get<std::vector<double>>("scale", {});
  options.mode = interpolation(a.get<std::string>("mode"));
  options.alignCorners = a.get<bool>("alignCorners", false);
  return Upsample(std::move(options));
}

std::string Upsample::details() const {
  std::string text;
  if (options_.size.set()) text = "to " + shortText(options_.size, options_.size.count());
  for (const double scale : options_.scale) text += (text.empty() ? "by " : "x") + Value(scale).dump();
  text += ", " + std::string(ember::name(options_.mode));
  return text + (options_.alignCorners ? ", corners aligned" : "");
}

PixelShuffle::PixelShuffle(i64 factor) : factor_(factor) { checkFactor("PixelShuffle", factor); }
PixelUnshuffle::PixelUnshuffle(i64 factor) : factor_(factor) { checkFactor("PixelUnshuffle", factor); }

}  // namespace ember::nn
