#include <ember/nn/layers/SpatialArgs.h>

#include <algorithm>

#include <ember/core/Error.h>

namespace ember::nn {
void checkSizes(const std::string& type, const char* what, const Sizes& sizes, int spatial, i64 least) {
  for (int i = 0; i < spatial; ++i) {
    if (const i64 size = sizes.at(i, spatial, type.c_str(), what); size < least) {
      throw ValueError(type, std::string(what) + " is " + std::to_string(size), {},
                       "use " + std::to_string(least) + " or more");
    }
  }
}

void checkChannels(const std::string& type, i64 in, i64 out, i64 groups) {
  if (in < 1 || out < 1) {
    throw ValueError(type, std::to_string(in) + " input and " + std::to_string(out) + " output channels", {},
                     "both must be 1 or more");
  }
  if (groups < 1) throw ValueError(type, "groups is " + std::to_string(groups), {}, "use 1 or more");
  if (in % groups == 0 && out % groups == 0) return;
  throw ValueError(type,
                   "groups = " + std::to_string(groups) + " does not divide " + std::to_string(in) + " input and " +
                       std::to_string(out) + " output channels",
                   {}, "choose a common divisor of both");
}

Value paddingArg(const Padding& padding) {
  if (padding.same()) return Value("same");
  if (padding.symmetric()) return Value(padding.before().vector());
  return {{"before", padding.before().vector()}, {"after", padding.after().vector()}};
}

Padding paddingOf(const Args& args) {
  const Value& value = args.at("padding");
  if (value.isObject())
    return Padding::sides(value.get<std::vector<i64>>("before"), value.get<std::vector<i64>>("after"));
  if (!value.isString()) return args.get<std::vector<i64>>("padding");
  if (value.as<std::string>() == "same") return Padding::Same;
  throw ValueError("padding", "no padding is called \"" + value.as<std::string>() + "\"", {}, "use same, or numbers");
}

std::string timesText(const std::array<i64, 3>& sizes, int count) {
  std::string text = std::to_string(sizes[0]);
  for (int i = 1; i < count; ++i) text += "x" + std::to_string(sizes[static_cast<std::size_t>(i)]);
  return text;
}

std::string shortText(const Sizes& sizes, int spatial) {
  const std::array<i64, 3> each = sizes.over(spatial, "sizes", "size");
  const bool same = std::all_of(each.begin(), each.begin() + spatial, [&](i64 size) { return size == each[0]; });
  return timesText(each, same ? 1 : spatial);
}

std::string sizesText(const char* what, const Sizes& sizes, int spatial, i64 usual) {
  const std::string text = shortText(sizes, spatial);
  return text == std::to_string(usual) ? "" : std::string(", ") + what + " " + text;
}

std::string paddingText(const Padding& padding, int spatial) {
  if (padding.same()) return ", padding same";
  if (padding.symmetric()) return sizesText("padding", padding.before(), spatial, 0);
  return ", padding " + shortText(padding.before(), spatial) + " and " + shortText(padding.after(), spatial);
}

}  // namespace ember::nn
