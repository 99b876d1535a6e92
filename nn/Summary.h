#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include <ember/core/Shape.h>
#include <fmt/core.h>

namespace ember::nn {

/// What a net does to inputs of one shape each, layer by layer. Prints as a table with fmt.
struct Summary {
  struct Row {
    std::string path, type, details;
    int depth = 0;
    Shape output;                ///< the first, if there are several
    std::vector<Shape> outputs;  ///< all of them
    i64 parameters = 0;    ///< of this module and those below
    i64 multiplyAdds = 0;  ///< of convolutions and matrix products, this module and those below
    i64 outputBytes = 0;   ///< of all outputs
    bool leaf = true;
  };
  std::vector<Shape> inputs;
  std::vector<Row> rows;  ///< in the order of execution, parents before children
  i64 parameters = 0;
  i64 trainable = 0;
  i64 multiplyAdds = 0;
  i64 parameterBytes = 0;
  i64 activationBytes = 0;  ///< sum of the leaves' outputs

  std::string text() const;
};

}  // namespace ember::nn

template <> struct fmt::formatter<ember::nn::Summary> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  template <class Context> auto format(const ember::nn::Summary& summary, Context& context) const {
    // Not fmt::format_to: clang and g++ name its back end in libfmt differently.
    const std::string text = summary.text();
    return std::copy(text.begin(), text.end(), context.out());
  }
};
