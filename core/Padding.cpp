#include <ember/core/Padding.h>

#include <algorithm>

#include <ember/core/Error.h>
#include <ember/core/Shape.h>

namespace ember {

Padding Padding::sides(const Sizes& before, const Sizes& after) {
  Padding padding(before);
  padding.after_ = after;
  return padding;
}

void Padding::check(int axes, const char* op) const {
  for (const Sizes& sizes : {before_, after_}) {
    for (int i = 0; i < axes; ++i) {
      if (const i64 size = sizes.at(i, axes, op, "padding"); size < 0)
        throw ValueError(op, "padding is " + std::to_string(size), {}, "use 0 or more");
    }
  }
}

Padding::Sides Padding::over(int axes, const i64* sizes, const i64* kernel, const std::array<i64, 3>& stride,
                             const std::array<i64, 3>& dilation, const char* op) const {
  Sides sides;
  for (int i = 0; i < axes; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    if (!same_) {
      sides.before[axis] = before_.at(i, axes, op, "padding");
      sides.after[axis] = after_.at(i, axes, op, "padding");
      continue;
    }
    if (sizes[i] < 1 || kernel[i] < 1 || stride[axis] < 1 || dilation[axis] < 1) continue;
    const i64 results = (sizes[i] - 1) / stride[axis] + 1;
    const i64 seen = checkedAdd(checkedMul(results - 1, stride[axis]), checkedMul(kernel[i] - 1, dilation[axis]));
    const i64 total = std::max<i64>(checkedAdd(seen, 1) - sizes[i], 0);
    sides.before[axis] = total / 2;
    sides.after[axis] = total - total / 2;
  }
  return sides;
}

}  // namespace ember
