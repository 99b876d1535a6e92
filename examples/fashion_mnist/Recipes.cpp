#include "Recipes.h"

using namespace ember;

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all{
      {.model = "bn", .epochs = 14, .lr = 0.15, .labelSmoothing = 0.1, .emaDecay = 0.998, .crop = 2, .flip = 0.5},
      {.model = "small", .epochs = 8, .batchSize = 64, .lr = 0.05, .flip = 0.5},
      {.model = "resnet",
       .epochs = 36,
       .lr = 0.15,
       .weightDecay = 5e-4,
       .labelSmoothing = 0.1,
       .emaDecay = 0.998,
       .crop = 2,
       .flip = 0.5,
       .erase = 0.5},
  };
  return all;
}

const Recipe* findRecipe(std::string_view model) {
  for (const Recipe& recipe : recipes()) {
    if (recipe.model == model) return &recipe;
  }
  return nullptr;
}

data::Transforms augmentation(const Recipe& recipe) {
  data::Transforms transforms;
  if (recipe.crop > 0) transforms.add(data::RandomCrop(recipe.crop, data::fashionMnistBlack));
  if (recipe.flip > 0) transforms.add(data::RandomFlip(recipe.flip));
  // Filled with the mean, which is 0 in delivered pictures: neither black like the ground nor bright like the cloth.
  if (recipe.erase > 0) transforms.add(data::RandomErase({.p = recipe.erase, .maxArea = 0.2}));
  return transforms;
}
