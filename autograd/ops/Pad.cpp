#include <ember/autograd/ops/Pad.h>

#include <algorithm>
#include <array>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/AxisMap.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>

namespace ember {

using namespace autograd;

namespace {

constexpr std::array<std::string_view, 4> modeNames{"zeros", "reflect", "replicate", "circular"};

void checkReach(const Tensor& x, int axis, i64 low, i64 high, PadMode mode) {
  const i64 size = x.size(axis), most = std::max(low, high);
  const i64 room = mode == PadMode::Reflect ? size - 1 : mode == PadMode::Circular ? size : most;
  if (most <= 0 || (most <= room && size > 0)) return;
  throw ShapeError("pad",
                   std::string(name(mode)) + " padding of " + std::to_string(most) + " on axis " +
                       std::to_string(axis) + ", which has " + std::to_string(size) + " elements",
                   {{"input", toString(x.shape())}},
                   size == 0 ? "an empty axis has nothing to pad with; pad it with zeros"
                             : "pad " + std::to_string(std::max<i64>(room, 0)) + " at most, or replicate the border");
}

/// The input that stands at `position` in [-size, 2·size).
i64 sourceOf(i64 position, i64 size, PadMode mode) {
  if (mode == PadMode::Replicate) return std::clamp<i64>(position, 0, size - 1);
  if (mode == PadMode::Circular) return position < 0 ? position + size : position >= size ? position - size : position;
  return position < 0 ? -position : position >= size ? 2 * (size - 1) - position : position;
}

}  // namespace

std::string_view name(PadMode mode) { return modeNames[static_cast<std::size_t>(mode)]; }

PadMode padMode(std::string_view text) {
  for (std::size_t i = 0; i < modeNames.size(); ++i) {
    if (modeNames[i] == text) return static_cast<PadMode>(i);
  }
  throw ValueError("pad", "no padding mode is called \"" + std::string(text) + "\"", {},
                   "use zeros, reflect, replicate or circular");
}

Tensor pad(const Tensor& x, const std::vector<i64>& before, const std::vector<i64>& after, PadMode mode) {
  if (mode == PadMode::Zeros) return pad(x, before, after);
  checkOperands("pad", {&x});
  Tensor y = x;
  const Shape padded = paddedShape(x.shape(), before, after);
  for (int axis = 0; axis < x.rank(); ++axis)
    checkReach(x, axis, before[static_cast<std::size_t>(axis)], after[static_cast<std::size_t>(axis)], mode);
  for (int axis = 0; axis < x.rank(); ++axis) {
    const i64 size = x.size(axis), low = before[static_cast<std::size_t>(axis)];
    if (padded[axis] == size) continue;
    y = mapAxis("pad", "padBackward", y, axis, padded[axis], [&] {
      core::AxisMap map;
      map.inputs = size;
      for (i64 p = 0; p < padded[axis]; ++p) {
        map.add(sourceOf(p - low, size, mode), 1);
        map.close();
      }
      return map;
    });
  }
  return y;
}

}  // namespace ember
