#pragma once
#include <optional>
#include <string>

#include <ember/ember.h>

#include "RunFiles.h"

/// What the command line of the classifiers of made-up data says.
struct Options {
  ember::i64 samples = 1000;  ///< to train with; a quarter as many more to test with
  ember::i64 epochs = 10;
  ember::i64 threads = 0;        ///< 0: the CPUs there are
  ember::u64 seed = 1;           ///< of data, initial weights and order
  std::string defaultSave = {};  ///< where the run is saved without --save
  RunFlags run = {};
  std::string profile = {};  ///< the file of a trace; empty: none is made
  std::string program = {};  ///< its name
};

/// Reads the command line over `defaults`. Empty: the program is done (after --help, or after saying what is wrong) and
/// exits with `exitCode`: 0 or 2.
std::optional<Options> parseOptions(int argc, char** argv, const std::string& program, const std::string& description,
                                    const Options& defaults, int& exitCode);
