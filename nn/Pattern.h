#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ember::nn {

/// Whether `name` matches a pattern in which * stands for any run of characters, dots included ("features.*",
/// "*.bias").
bool matches(std::string_view pattern, std::string_view name);

/// The known name that `wanted` (a name or a pattern) was probably meant to be: the one with the fewest edits, whatever
/// the case of letters, if they are a third of the letters at most or if `wanted` is a part of it. Nothing if no name
/// is that near. Of endless lists, as a hostile file may hold, only the first names are compared.
std::optional<std::string> nearestName(std::string_view wanted, const std::vector<std::string>& known);
/// `did you mean "conv1"?`; where no name is near, the known names, eight at most.
std::string nearestHint(std::string_view wanted, const std::vector<std::string>& known);

}  // namespace ember::nn
