#pragma once
#include <functional>

#include <ember/ember.h>

#include "Options.h"

/// A run as it is to be: by the command line, where that says nothing by the run that is resumed, or the defaults.
struct Plan {
  ember::i64 samples = 0, epochs = 0;
  ember::u64 seed = 0;
  std::string program, from;  ///< the run that is resumed; empty: begin anew
  Options options;
};

/// Trains `net` on labelled samples by SGD with a one-cycle learning rate that rises to `lr`, shows how it goes, and
/// sets it beside a linear model and a nearest neighbour; saves and resumes the run as planned, loads the net from its
/// file and tests that. Returns the exit code: 0, 1 if the net from the file answers otherwise than the one that was
/// saved, or SavedTraining's.
int classify(ember::nn::Module& net, const ember::data::TensorDataset& train, const ember::data::TensorDataset& test,
             double lr, const Plan& plan);

/// Settles what is to be done, refuses what cannot be, sets threads and seed, runs a program's body, says what it
/// threw; returns the exit code.
int runProgram(const Options& options, const Defaults& defaults, const std::function<int(const Plan&)>& body);
