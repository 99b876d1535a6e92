#pragma once
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <type_traits>

#include <fmt/core.h>
#include <CLI/CLI.hpp>

/// The whole text as a decimal number in [low, high] (for real numbers (low, high]): no sign but -, no hexadecimals, no
/// blanks, no infinity, nothing behind it.
template <class T>
std::optional<T> parseNumber(const std::string& text, T low, T high) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end) return {};
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value) || !(value > low)) return {};
  }
  if (value < low || value > high) return {};
  return value;
}

/// An option with one number, for a T or std::optional<T>; CLI11's own conversion would take "0x10", "nan" and "1e999",
/// and wrap -1 around.
template <class T, class Target>
CLI::Option* addNumber(CLI::App& app, const std::string& flag, Target& target, T low, T high, const std::string& help) {
  const std::string range = std::is_floating_point_v<T> ? fmt::format("a number above {} up to {}", low, high)
                                                        : fmt::format("a whole number from {} to {}", low, high);
  const auto store = [flag, &target, low, high, range](const std::string& text) {
    const std::optional<T> value = parseNumber<T>(text, low, high);
    if (!value) throw CLI::ValidationError(flag, fmt::format("\"{}\" is not {}", text, range));
    target = *value;
  };
  return app.add_option_function<std::string>(flag, store, help + " (" + range + ")")->type_name("N");
}
