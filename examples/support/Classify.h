#pragma once
#include <functional>

#include <ember/ember.h>

#include "Options.h"

/// Trains `net` on labelled samples by SGD with a one-cycle learning rate that rises to `lr`, shows how it goes, and
/// sets it beside a linear model and a nearest neighbour; saves and resumes the run as the options say, loads the net
/// from its file and tests that. Returns the exit code: 0, 1 if the net from the file answers otherwise than the one
/// that was saved, or SavedTraining's.
int classify(ember::nn::Module& net, const ember::data::TensorDataset& train, const ember::data::TensorDataset& test,
             double lr, const Options& options);

/// Sets threads and seed, runs a program's body, says what it threw; returns the exit code.
int runProgram(const Options& options, const std::function<int()>& body);
