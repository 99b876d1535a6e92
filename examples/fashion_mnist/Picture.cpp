#include "Picture.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace ember;

std::string drawPicture(const Tensor& bytes, bool colour) {
  const i64 height = bytes.size(0), width = bytes.size(1);
  const std::vector<i64> pixels = bytes.toVector<i64>();
  const auto at = [&](i64 y, i64 x) { return y < height ? pixels[static_cast<std::size_t>(y * width + x)] : 0; };
  std::string text;
  for (i64 y = 0; y < height; y += 2) {
    for (i64 x = 0; x < width; ++x) {
      if (colour) {
        // 232 to 255 are the greys of a 256-colour terminal; the upper half block shows the first pixel over the
        // second.
        text += fmt::format("\x1b[38;5;{};48;5;{}m\u2580", 232 + at(y, x) * 23 / 255, 232 + at(y + 1, x) * 23 / 255);
      } else {
        static constexpr std::string_view shades = " .:-=+*#%@";
        const char shade = shades[static_cast<std::size_t>((at(y, x) + at(y + 1, x)) * 9 / 510)];
        text += shade;
      }
    }
    text += colour ? "\x1b[0m\n" : "\n";
  }
  return text;
}

std::string drawChances(const std::vector<float>& probabilities, const std::vector<std::string>& classNames,
                        std::size_t count) {
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
  std::string text;
  for (std::size_t i = 0; i < std::min(count, order.size()); ++i) {
    const float chance = probabilities[order[i]];
    std::string bar;
    for (int cell = 0; cell < static_cast<int>(std::lround(chance * 30)); ++cell) bar += "\u2588";
    text += fmt::format("{:>11}  {:5.1f} %  {}\n", classNames[order[i]], 100 * chance, bar);
  }
  return text;
}
