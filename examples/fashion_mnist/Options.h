#pragma once
#include <optional>
#include <string>

#include <ember/ember.h>

#include "support/RunFiles.h"

/// What the command line says; what it leaves open comes from the recipe of the model, or from the run that is resumed.
struct Options {
  std::optional<std::string> model;
  std::optional<ember::i64> epochs, batchSize;
  std::optional<double> lr;
  std::optional<ember::u64> seed;
  std::optional<ember::i64> threads;
  std::string data;
  RunFlags run;
  std::string initFrom;
  std::string saveBest;
  std::optional<ember::i64> patience;
  std::string json;
  std::string profile;
  bool validation = false;
  bool evaluate = false;
  std::optional<ember::i64> predict;
};

inline constexpr const char* defaultSave = "fashion_mnist.json";

/// Reads the command line. Empty: the program is done (after --help, or after saying what is wrong) and exits with
/// `exitCode`: 0 or 2.
std::optional<Options> parseOptions(int argc, char** argv, int& exitCode);
