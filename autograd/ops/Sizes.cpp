#include <ember/autograd/ops/Sizes.h>

#include <algorithm>

#include <ember/core/Error.h>

namespace ember {

std::array<i64, 3> Sizes::over(int spatial, const char* op, const char* what) const {
  if (values_.rank() != 1 && values_.rank() != spatial) {
    throw ValueError(op, std::string(what) + " has " + std::to_string(values_.rank()) + " numbers for " + std::to_string(spatial) +
                             (spatial == 1 ? " axis" : " axes"),
                     {{what, toString(values_)}}, "give one number for all axes, or one for each");
  }
  std::array<i64, 3> each{1, 1, 1};
  for (int i = 0; i < spatial; ++i) each[static_cast<std::size_t>(i)] = values_[values_.rank() == 1 ? 0 : i];
  return each;
}

std::string Sizes::text() const {
  if (values_.empty()) return "";
  if (std::all_of(values_.begin(), values_.end(), [&](i64 v) { return v == values_[0]; })) return std::to_string(values_[0]);
  std::string joined;
  for (const i64 value : values_) joined += (joined.empty() ? "" : "x") + std::to_string(value);
  return joined;
}

}  // namespace ember
