#include "Options.h"

#include <limits>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include <ember/nn/Pattern.h>

#include "Recipes.h"
#include "support/Console.h"
#include "support/Numbers.h"
#include "support/Profile.h"

namespace {

using ember::i64;
using ember::u64;

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
  addRunFlags(app, options.run, defaultSave);
  addFile(app, "--init-from", options.initFrom, "begin with the weights in FILE, a saved net or run");
  addFile(app, "--save-best", options.saveBest,
          "keep the run behind its best epoch, by accuracy on the pictures it is tested on; with --resume, too, only "
          "where this names a file");
  addNumber<i64>(app, "--patience", options.patience, 0, 10000,
                 "end when so many epochs in a row were no better; 0: never");
  app.add_flag("--evaluate", options.evaluate, "only test a saved run (--resume FILE, else the file of --save)");
  addNumber<i64>(app, "--predict", options.predict, 0, 59999,
                 "only show a test picture and what a saved run sees in it");
  addFile(app, "--json", options.json, "write accuracy, time and memory to FILE");
  addProfileFlag(app, options.profile);
  app.add_flag("--validation", options.validation,
               "train on 55,000 of the training pictures and test on the other 5,000");
  app.get_option("--predict")->excludes(app.get_option("--evaluate"));
  app.get_option("--init-from")->excludes(app.get_option("--resume"));
  for (CLI::Option* option : app.get_options())
    option->multi_option_policy(CLI::MultiOptionPolicy::Throw)->disable_flag_override();

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    console::write(app.help());
    exitCode = 0;
    return {};
  } catch (const CLI::ParseError& error) {
    const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr;
    console::complain(fmt::format("fashion_mnist: {}\nfashion_mnist --help lists the flags",
                                  unknown ? suggestion(app) : error.what()));
    exitCode = 2;
    return {};
  }
  return options;
}
