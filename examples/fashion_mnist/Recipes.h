#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <ember/ember.h>

/// How one model is trained. To choose another, compare on the 55,000 / 5,000 split of --validation, never on the test
/// pictures.
struct Recipe {
  std::string model;
  ember::i64 epochs = 1;
  ember::i64 batchSize = 128;
  double lr = 0.1;             ///< at the top of the one-cycle schedule
  double warmUp = 0.3;         ///< share of the run that rises to it
  double startDivisor = 10;    ///< the run begins at lr / startDivisor
  double finalDivisor = 1000;  ///< and ends at lr / (startDivisor · finalDivisor)
  double momentum = 0.9;       ///< Nesterov
  double weightDecay = 5e-4;   ///< of all but biases
  double labelSmoothing = 0;
  double emaDecay = 0;  ///< 0: no average of the weights
  ember::i64 crop = 0;  ///< random shifts by that many pixels
  double flip = 0;      ///< how often a picture is mirrored
  double erase = 0;     ///< how often a rectangle is greyed out
};

/// One row a model; the first is the default.
const std::vector<Recipe>& recipes();
/// Null if there is no such model.
const Recipe* findRecipe(std::string_view model);

/// The transforms of the recipe, in their order.
ember::data::Transforms augmentation(const Recipe& recipe);
