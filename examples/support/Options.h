#pragma once
#include <optional>
#include <string>

#include <ember/ember.h>

#include "RunFiles.h"

inline constexpr ember::i64 fewestSamples = 8, mostSamples = 1'000'000;

/// What the command line of the classifiers of made-up data says.
struct Options {
  std::optional<ember::i64> samples = {};  ///< to train with; a quarter as many more to test with
  std::optional<ember::i64> epochs = {};
  std::optional<ember::u64> seed = {};  ///< of data, initial weights and order
  ember::i64 threads = 0;               ///< 0: the CPUs there are
  RunFlags run = {};
  std::string profile = {};  ///< the file of a trace; empty: none is made
  std::string program = {};  ///< its name
};

/// What holds where the command line says nothing and no run is resumed.
struct Defaults {
  ember::i64 samples, epochs;
  std::string save;
  ember::u64 seed = 1;
};

/// Reads the command line. Empty: the program is done (after --help, or after saying what is wrong) and
/// exits with `exitCode`: 0 or 2.
std::optional<Options> parseOptions(int argc, char** argv, const std::string& program, const std::string& description,
                                    const Defaults& defaults, int& exitCode);
