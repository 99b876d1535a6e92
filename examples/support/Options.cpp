#include "Options.h"

#include <charconv>
#include <limits>

#include <CLI/CLI.hpp>

#include "Profile.h"

using namespace ember;

namespace {

/// A flag with one whole number; CLI11's own conversion would take "0x10" and wrap -1 around.
template <class T>
void addWhole(CLI::App& app, const std::string& flag, T& target, T low, T high, const std::string& help) {
  const auto store = [flag, &target, low, high](const std::string& text) {
    T value{};
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stopped != end || value < low || value > high) {
      throw CLI::ValidationError(flag, fmt::format("\"{}\" is not a whole number from {} to {}", text, low, high));
    }
    target = value;
  };
  app.add_option_function<std::string>(flag, store, help)->type_name("N");
}

}  // namespace

std::optional<Options> parseOptions(int argc, char** argv, const std::string& program, const std::string& description,
                                    const Options& defaults, int& exitCode) {
  Options options = defaults;
  CLI::App app(description, program);
  app.set_help_flag("--help", "print this and exit");
  addWhole<i64>(app, "--samples", options.samples, 8, 1'000'000,
                fmt::format("samples to train with, and a quarter as many to test (default {})", defaults.samples));
  addWhole<i64>(app, "--epochs", options.epochs, 1, 10'000,
                fmt::format("times through them (default {})", defaults.epochs));
  addWhole<u64>(app, "--seed", options.seed, 0, std::numeric_limits<u64>::max(),
                fmt::format("of data, initial weights and order (default {})", defaults.seed));
  addWhole<i64>(app, "--threads", options.threads, 1, 1024, "default: the CPUs there are");
  app.add_option("--save", options.save, fmt::format("the trained net (default {})", defaults.save))->type_name("FILE");
  addProfileFlag(app, options.profile);
  try {
    app.parse(argc, argv);
    return options;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    exitCode = 0;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}: {}\n{} --help lists the flags\n", program, error.what(), program);
    exitCode = 2;
  }
  return {};
}
