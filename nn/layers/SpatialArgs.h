#pragma once
#include <array>
#include <string>

#include <ember/core/Padding.h>
#include <ember/nn/Module.h>

/// What layers over spatial axes share: checks of their sizes, arguments and text.
namespace ember::nn {

/// Throws ValueError of `type` unless there is one size, or one for each axis, and all are at least `least`.
void checkSizes(const std::string& type, const char* what, const Sizes& sizes, int spatial, i64 least);
/// Throws ValueError unless in, out and groups are at least 1 and groups divides both.
void checkChannels(const std::string& type, i64 in, i64 out, i64 groups);

/// Padding as an argument: numbers for both sides, "same", or an object with "before" and "after"; and back.
Value paddingArg(const Padding& padding);
Padding paddingOf(const Args& args);

/// "3x5": the first `count` of them.
std::string timesText(const std::array<i64, 3>& sizes, int count);
/// "3x5", or "3" where all axes have the same.
std::string shortText(const Sizes& sizes, int spatial);
/// ", stride 2", ", stride 2x1"; nothing where all are `usual`.
std::string sizesText(const char* what, const Sizes& sizes, int spatial, i64 usual);
/// ", padding 1", ", padding same", ", padding 0x1 and 1x2" (before and after); nothing for none.
std::string paddingText(const Padding& padding, int spatial);

}  // namespace ember::nn
