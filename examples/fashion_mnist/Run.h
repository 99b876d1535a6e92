#pragma once
#include <memory>
#include <string>
#include <vector>

#include <ember/ember.h>

#include "Options.h"
#include "Recipes.h"

/// What decides a run: the recipe with the changes of the command line, or what the saved run was begun with.
struct Settings {
  Recipe recipe;
  ember::u64 seed = 1;
  bool validation = false;
  ember::i64 patience = 0;
  /// Empty: the best epoch is not kept. Only the command line says where: a file that a run names may belong to
  /// another run by now, or be another file where this one is resumed.
  std::string bestFile = {};
  std::string bestFileOfRun = {};  ///< where the saved run kept it; empty: nowhere
};

/// One training run, new or resumed: the pictures, the net, its optimiser and its trainer.
class Run {
 public:
  /// Begins anew if `file` is empty, else continues the run saved there. Throws UsageError, listing them, if the
  /// command line contradicts the saved run, IoError and StateError for files that are not there or do not fit.
  Run(const Options& options, const std::string& file);

  const Settings& settings() const noexcept { return settings_; }
  const ember::data::Dataset& train() const noexcept { return *train_; }
  /// The test pictures; with --validation those held out of training.
  const ember::data::Dataset& test() const noexcept { return *test_; }
  ember::nn::Module& net() noexcept { return *net_; }
  ember::optim::Trainer& trainer() noexcept { return *trainer_; }
  const char* testName() const noexcept { return settings_.validation ? "validation" : "test"; }
  /// Of the epoch that was finished last, on test().
  const ember::optim::Evaluation& evaluation() const noexcept { return evaluation_; }
  /// Probabilities of the ten classes for one picture of test().
  std::vector<float> predict(ember::i64 index);

 private:
  Settings settings_;
  std::unique_ptr<ember::data::Dataset> train_, test_;
  std::unique_ptr<ember::nn::Module> net_;
  std::unique_ptr<ember::optim::SGD> sgd_;
  std::unique_ptr<ember::optim::Trainer> trainer_;
  ember::optim::Evaluation evaluation_;
};
