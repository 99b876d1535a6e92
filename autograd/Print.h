#pragma once
#include <algorithm>
#include <iosfwd>
#include <string>

#include <ember/autograd/Tensor.h>
#include <fmt/core.h>

namespace ember {

struct PrintOptions {
  int precision = 4;     ///< digits behind the point, 0 to 17
  i64 threshold = 1000;  ///< of more elements than this the ends of each axis are shown
  i64 edge = 3;          ///< elements at each end that are then shown, at least 1
  int width = 100;       ///< columns after which a row goes on in the next line
};

/// The values as NumPy prints them, then type and shape:
///
///   [[1.   2.5 ]
///    [3.   0.25]] f32 [2, 2]
///
/// All numbers share one form, decimal or (from 1e8 on, below 1e-4, or 1000 times apart) scientific. Tensors without
/// values print what they are instead. Throws ValueError for options out of range.
std::string toString(const Tensor& x, const PrintOptions& options = {});
std::ostream& operator<<(std::ostream& stream, const Tensor& x);

}  // namespace ember

/// fmt::print("{}", x), or with six digits behind the point "{:.6}".
template <>
struct fmt::formatter<ember::Tensor> {
  constexpr auto parse(format_parse_context& context) {
    auto at = context.begin();
    if (at == context.end() || *at != '.') return at;
    options.precision = 0;
    for (++at; at != context.end() && *at >= '0' && *at <= '9'; ++at) {
      options.precision = std::min(options.precision * 10 + (*at - '0'), 1000);
    }
    return at;
  }
  template <class Context>
  auto format(const ember::Tensor& x, Context& context) const {
    // Not fmt::format_to: clang and g++ name its back end in libfmt differently.
    const std::string text = toString(x, options);
    return std::copy(text.begin(), text.end(), context.out());
  }
  ember::PrintOptions options = {};
};
