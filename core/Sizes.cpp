#include <ember/core/Sizes.h>

#include <algorithm>
#include <string>

#include <ember/core/Error.h>

namespace ember {

Sizes::Sizes(const std::vector<i64>& each) {
  if (each.empty() || each.size() > 3) {
    throw ValueError("sizes", std::to_string(each.size()) + " sizes given", {},
                     "give one for all spatial axes, or one for each of 1 to 3");
  }
  std::copy(each.begin(), each.end(), values_.begin());
  count_ = static_cast<int>(each.size());
  if (count_ == 1) values_.fill(each[0]);
}

i64 Sizes::at(int axis, int axes, const char* op, const char* what) const {
  if (count_ != 1 && count_ != axes) {
    throw ValueError(
        op,
        std::string(what) + " has " + std::to_string(count_) + " sizes for " + std::to_string(axes) + " spatial axes",
        {}, "give one number, or one for each spatial axis");
  }
  return values_[static_cast<std::size_t>(axis)];
}

std::array<i64, 3> Sizes::over(int axes, const char* op, const char* what) const {
  std::array<i64, 3> result{1, 1, 1};
  for (int i = 0; i < axes; ++i) result[static_cast<std::size_t>(i)] = at(i, axes, op, what);
  return result;
}

}  // namespace ember
