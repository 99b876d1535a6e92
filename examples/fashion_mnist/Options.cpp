#include "Options.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <type_traits>
#include <vector>

#include <CLI/CLI.hpp>

#include <ember/nn/Pattern.h>

#include "Recipes.h"
#include "support/Profile.h"

namespace {

using ember::i64;
using ember::u64;

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

/// An option with one number; CLI11's own conversion would take "0x10", "nan" and "1e999".
template <class T>
CLI::Option* addNumber(CLI::App& app, const std::string& flag, std::optional<T>& target, T low, T high,
                       const std::string& help) {
  const std::string range = std::is_floating_point_v<T> ? fmt::format("a number above {} up to {}", low, high)
                                                        : fmt::format("a whole number from {} to {}", low, high);
  const auto store = [flag, &target, low, high, range](const std::string& text) {
    target = parseNumber<T>(text, low, high);
    if (!target) throw CLI::ValidationError(flag, fmt::format("\"{}\" is not {}", text, range));
  };
  return app.add_option_function<std::string>(flag, store, help + " (" + range + ")")->type_name("N");
}

/// "did you mean --epochs?" for the first argument that is no flag of ours.
std::string suggestion(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining();
  if (extras.empty()) return {};
  const std::string flag = extras.front().substr(0, extras.front().find('='));
  if (!flag.starts_with("-"))
    return fmt::format("\"{}\" stands alone; everything here is a --flag or the value of one", flag);
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) known.push_back("--" + option->get_lnames().front());
  const auto near = ember::nn::nearestName(flag, known);
  return fmt::format("there is no {}{}", flag, near ? fmt::format("; did you mean \"{}\"?", *near) : "");
}

}  // namespace

std::optional<Options> parseOptions(int argc, char** argv, int& exitCode) {
  Options options;
  CLI::App app("Trains a net on Fashion-MNIST, tests it after each epoch, and saves it as readable JSON.",
               "fashion_mnist");
  app.set_help_flag("--help", "print this and exit");

  std::string models;
  for (const Recipe& recipe : recipes()) models += (models.empty() ? "" : ", ") + recipe.model;
  const auto chooseModel = [&](const std::string& text) {
    if (!findRecipe(text)) throw CLI::ValidationError("--model", fmt::format("\"{}\" is not one of {}", text, models));
    options.model = text;
  };
  app.add_option_function<std::string>("--model", chooseModel,
                                       fmt::format("the net: {} (default {})", models, recipes().front().model))
      ->type_name("NAME");
  addNumber<i64>(app, "--epochs", options.epochs, 1, 10000, "times through the training pictures");
  addNumber<i64>(app, "--batch-size", options.batchSize, 2, 60000, "pictures a step");
  addNumber<double>(app, "--lr", options.lr, 0, 100, "highest learning rate");
  addNumber<u64>(app, "--seed", options.seed, 0, std::numeric_limits<u64>::max(),
                 "of initial weights, order and augmentation");
  addNumber<i64>(app, "--threads", options.threads, 1, 1024, "default: the CPUs there are");
  app.add_option("--data", options.data,
                 "folder of the IDX files (default: where Debian's dataset-fashion-mnist puts them)")
      ->type_name("DIR");
  app.add_option("--save", options.save,
                 "the run as it stands, after each epoch and at the end (default fashion_mnist.json)")
      ->type_name("FILE");
  app.add_option("--resume", options.resume, "continue that run, bit for bit")->type_name("FILE");
  app.add_flag("--evaluate", options.evaluate, "only test a saved run (--resume FILE, else the file of --save)");
  addNumber<i64>(app, "--predict", options.predict, 0, 59999,
                 "only show a test picture and what a saved run sees in it");
  app.add_option("--json", options.json, "write accuracy, time and memory to FILE")->type_name("FILE");
  addProfileFlag(app, options.profile);
  app.add_flag("--validation", options.validation,
               "train on 55,000 of the training pictures and test on the other 5,000");
  app.get_option("--predict")->excludes(app.get_option("--evaluate"));
  for (CLI::Option* option : app.get_options())
    option->multi_option_policy(CLI::MultiOptionPolicy::Throw)->disable_flag_override();

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    exitCode = 0;
    return {};
  } catch (const CLI::ParseError& error) {
    const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    fmt::print(stderr, "fashion_mnist: {}\nfashion_mnist --help lists the flags\n",
               unknown ? suggestion(app) : error.what());
    exitCode = 2;
    return {};
  }
  return options;
}
