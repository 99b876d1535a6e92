#include <ember/nn/data/Transforms.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <typeinfo>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/TypeName.h>

namespace ember::data {
namespace {

void checkProbability(const char* op, double p) {
  if (!(p >= 0 && p <= 1)) throw ValueError(op, "p is " + std::to_string(p), {}, "a probability lies between 0 and 1");
}

/// Uniform whole number in [low, high].
i64 between(const random::Key& key, u64 index, i64 low, i64 high) {
  return low + static_cast<i64>(random::below(key, index, static_cast<u64>(high - low) + 1));
}

/// Moves a plane down by dy and right by dx, in place; what comes in from outside is `fill`.
void shift(float* plane, i64 height, i64 width, i64 dy, i64 dx, float fill) {
  const i64 keep = std::max<i64>(0, width - std::abs(dx));  // pixels of a row that stay
  for (i64 i = 0; i < height; ++i) {
    const i64 y = dy > 0 ? height - 1 - i : i;  // no row is overwritten before it was read
    float* to = plane + y * width;
    const i64 source = y - dy;
    if (source < 0 || source >= height || keep == 0) {
      std::fill(to, to + width, fill);
      continue;
    }
    const float* from = plane + source * width;
    if (dx >= 0) {
      std::copy_backward(from, from + keep, to + width);
      std::fill(to, to + dx, fill);
    } else {
      std::copy(from - dx, from - dx + keep, to);
      std::fill(to + keep, to + width, fill);
    }
  }
}

}  // namespace

Value Transform::description() const { return {{"type", core::typeName(typeid(*this))}, {"args", args()}}; }

Normalize::Normalize(std::vector<float> mean, std::vector<float> std) : mean_(std::move(mean)), std_(std) {
  if (mean_.empty() || std.empty() || (mean_.size() != std.size() && mean_.size() != 1 && std.size() != 1)) {
    throw ShapeError("Normalize",
                     std::to_string(mean_.size()) + " values of mean, " + std::to_string(std.size()) + " of std", {},
                     "give one of each a channel, or one for all");
  }
  for (const float value : std) {
    if (!(value > 0) || !std::isfinite(value)) {
      throw ValueError("Normalize", "std is " + std::to_string(value), {}, "it divides the pixels: a number above 0");
    }
    factor_.push_back(1 / value);
  }
}

void Normalize::apply(const Picture& picture, const random::Key&) const {
  const auto channels = static_cast<std::size_t>(picture.channels);
  if ((mean_.size() != 1 && mean_.size() != channels) || (factor_.size() != 1 && factor_.size() != channels)) {
    throw ShapeError("Normalize", std::to_string(std::max(mean_.size(), factor_.size())) + " values, the picture has " +
                                      std::to_string(channels) + " channels");
  }
  for (std::size_t c = 0; c < channels; ++c) {
    const float mean = mean_[mean_.size() == 1 ? 0 : c], factor = factor_[factor_.size() == 1 ? 0 : c];
    float* x = picture.row(static_cast<i64>(c), 0);
    for (i64 i = 0; i < picture.height * picture.width; ++i) x[i] = (x[i] - mean) * factor;
  }
}

RandomCrop::RandomCrop(i64 padding, float fill) : padding_(padding), fill_(fill) {
  if (padding < 0 || padding > 1 << 20) {
    throw ValueError("RandomCrop", "padding is " + std::to_string(padding), {},
                     "the number of pixels to shift by at most: 0 or more");
  }
}

void RandomCrop::apply(const Picture& picture, const random::Key& key) const {
  const i64 dy = between(key, 0, -padding_, padding_), dx = between(key, 1, -padding_, padding_);
  if (dy == 0 && dx == 0) return;
  for (i64 c = 0; c < picture.channels; ++c) shift(picture.row(c, 0), picture.height, picture.width, dy, dx, fill_);
}

RandomFlip::RandomFlip(double p) : p_(p) { checkProbability("RandomFlip", p); }

void RandomFlip::apply(const Picture& picture, const random::Key& key) const {
  if (random::uniform(key, 0) >= p_) return;
  for (i64 y = 0; y < picture.channels * picture.height; ++y) {
    float* row = picture.data + y * picture.width;
    std::reverse(row, row + picture.width);
  }
}

RandomErase::RandomErase(const RandomEraseOptions& options) : options_(options) {
  const char* op = "RandomErase";
  checkProbability(op, options.p);
  if (!(0 < options.minArea && options.minArea <= options.maxArea && options.maxArea <= 1)) {
    throw ValueError(op, "area from " + std::to_string(options.minArea) + " to " + std::to_string(options.maxArea), {},
                     "parts of the picture: 0 < minArea <= maxArea <= 1");
  }
  if (!(0 < options.minAspect && options.minAspect <= options.maxAspect && std::isfinite(options.maxAspect))) {
    throw ValueError(op,
                     "aspect from " + std::to_string(options.minAspect) + " to " + std::to_string(options.maxAspect),
                     {}, "height : width, 0 < minAspect <= maxAspect");
  }
}

void RandomErase::apply(const Picture& picture, const random::Key& key) const {
  if (random::uniform(key, 0) >= options_.p) return;
  const auto pixels = static_cast<double>(picture.height * picture.width);
  const double logLow = std::log(options_.minAspect), logHigh = std::log(options_.maxAspect);
  for (u64 attempt = 0; attempt < 10; ++attempt) {
    const u64 draw = 1 + 4 * attempt;
    const double area =
        pixels * (options_.minArea + (options_.maxArea - options_.minArea) * random::uniform(key, draw));
    const double aspect = std::exp(logLow + (logHigh - logLow) * random::uniform(key, draw + 1));
    const i64 height = std::llround(std::sqrt(area * aspect)), width = std::llround(std::sqrt(area / aspect));
    if (height < 1 || width < 1 || height > picture.height || width > picture.width) continue;
    const i64 top = between(key, draw + 2, 0, picture.height - height),
              left = between(key, draw + 3, 0, picture.width - width);
    for (i64 c = 0; c < picture.channels; ++c) {
      for (i64 y = top; y < top + height; ++y) std::fill_n(picture.row(c, y) + left, width, options_.fill);
    }
    return;
  }
}

Value RandomErase::args() const {
  return {{"p", options_.p},
          {"minArea", options_.minArea},
          {"maxArea", options_.maxArea},
          {"minAspect", options_.minAspect},
          {"maxAspect", options_.maxAspect},
          {"fill", options_.fill}};
}

Value Transforms::description() const {
  Value list = Value::array();
  for (const Step& step : steps_) list.push(step.transform->description());
  return list;
}

void Transforms::add(std::shared_ptr<const Transform> transform) {
  if (!transform) throw ValueError("Transforms", "transform " + std::to_string(steps_.size()) + " is null");
  steps_.push_back({std::move(transform), random::streamOf("augment." + std::to_string(steps_.size()))});
}

void Transforms::apply(core::NDArray& images, const std::vector<i64>& samples, u64 seed, i64 epoch) const {
  if (empty()) return;
  const char* op = "Transforms";
  if (images.dtype() != DType::F32) {
    throw DtypeError(op, "images are " + std::string(name(images.dtype())) + ", transforms work on f32", {},
                     "convert them in the dataset, or leave the transforms away");
  }
  if (images.rank() != 4 || !images.isDense() || images.size(0) != static_cast<i64>(samples.size())) {
    throw ShapeError(op, "images are " + toString(images.shape()) + ", expected [" + std::to_string(samples.size()) +
                             ", C, H, W], row-major");
  }
  const i64 pictureSize = images.size(1) * images.size(2) * images.size(3);
  float* data = images.data<float>();
  core::parallelFor(images.size(0), 1 + (1 << 15) / (pictureSize + 1), [&](i64 begin, i64 end) {
    for (i64 b = begin; b < end; ++b) {
      const Picture picture{data + b * pictureSize, images.size(1), images.size(2), images.size(3)};
      const u64 call = (static_cast<u64>(epoch) << 40) + static_cast<u64>(samples[static_cast<std::size_t>(b)]);
      for (const Step& step : steps_) step.transform->apply(picture, {seed, step.stream, call});
    }
  });
}

}  // namespace ember::data
