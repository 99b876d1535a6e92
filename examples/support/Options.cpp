#include "Options.h"

#include <limits>

#include <CLI/CLI.hpp>

#include "Console.h"
#include "Numbers.h"
#include "Profile.h"

using namespace ember;

std::optional<Options> parseOptions(int argc, char** argv, const std::string& program, const std::string& description,
                                    const Defaults& defaults, int& exitCode) {
  console::open();
  Options options;
  options.program = program;
  CLI::App app(description, program);
  app.set_help_flag("--help", "print this and exit");
  addNumber<i64>(app, "--samples", options.samples, fewestSamples, mostSamples,
                 fmt::format("samples to train with, and a quarter as many to test, default {}", defaults.samples));
  addNumber<i64>(app, "--epochs", options.epochs, 1, 10'000,
                 fmt::format("times through them, default {}", defaults.epochs));
  addNumber<u64>(app, "--seed", options.seed, 0, std::numeric_limits<u64>::max(),
                 fmt::format("of data, initial weights and order, default {}", defaults.seed));
  addNumber<i64>(app, "--threads", options.threads, 1, 1024, "default: the CPUs there are");
  addRunFlags(app, options.run, defaults.save);
  addProfileFlag(app, options.profile);
  try {
    app.parse(argc, argv);
    return options;
  } catch (const CLI::CallForHelp&) {
    console::write(app.help());
    exitCode = console::exitCode(0);
  } catch (const CLI::ParseError& error) {
    console::complain(fmt::format("{}: {}\n{} --help lists the flags", program, error.what(), program));
    exitCode = 2;
  }
  return {};
}
