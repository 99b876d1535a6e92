#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace ember::nn {

/// Whether `name` matches a pattern in which * stands for any run of characters, dots included ("features.*", "*.bias").
bool matches(std::string_view pattern, std::string_view name);
/// "did you mean "conv1"?" with the known name nearest by edit distance, or what there is.
std::string nearestHint(std::string_view wanted, const std::vector<std::string>& known);

}  // namespace ember::nn
