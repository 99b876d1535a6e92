#include "Run.h"

#include <ember/core/io/Checkpoint.h>

#include "Models.h"

using namespace ember;

namespace {

/// Which of our models a saved architecture is.
std::string modelOf(const Value& architecture, const std::string& file) {
  for (const Recipe& recipe : recipes()) {
    if (makeModel(recipe.model)->architecture() == architecture) return recipe.model;
  }
  throw IoError("fashion_mnist", file + " holds another net than this program's", {},
                "give a file that this program saved");
}

/// The settings of a saved run, which the command line may repeat but not contradict. `pictures` counts the whole
/// training set.
Settings savedSettings(const std::string& file, const Options& options, i64 pictures) {
  const io::Checkpoint saved =
      readRun(file, "fashion_mnist", "--init-from " + file + " begins a new run with its weights");
  const std::string model = modelOf(saved.model, file);
  Settings settings{.recipe = *findRecipe(model)};
  settings.recipe.epochs = saved.train.get<i64>("epochs");
  settings.recipe.batchSize = saved.train.get<i64>({"data", "batch"});
  settings.recipe.lr = saved.optimizer.get<double>("lr");
  settings.seed = saved.train.get<u64>("seed");
  settings.validation = saved.train.get<i64>({"data", "count"}) != pictures;
  const bool override = options.run.override;
  Conflicts conflicts(file, override);
  if (options.model && *options.model != model)
    conflicts.add(fmt::format("--model {}, the run was begun with {}", *options.model, model));
  conflicts.compareEpochs(options.epochs, saved.train.get<i64>("epoch"), settings.recipe.epochs);
  conflicts.compare("--batch-size", options.batchSize, settings.recipe.batchSize);
  conflicts.compare("--lr", options.lr, settings.recipe.lr);
  conflicts.compare("--seed", options.seed, settings.seed);
  if (options.validation && !settings.validation) {
    if (override)
      settings.validation = true;
    else
      conflicts.add("--validation, the run was begun without");
  }
  conflicts.refuse("another net cannot go on with a run; --init-from takes weights that fit");
  // What changes no step of the run may be given anew.
  const Value* best = saved.train.find("best");
  settings.patience = options.patience.value_or(best ? best->get<i64>("patience") : 0);
  settings.bestFile = options.saveBest;
  if (best) settings.bestFileOfRun = best->get("file", std::string());
  return settings;
}

Settings newSettings(const Options& options) {
  Settings settings{.recipe = options.model ? *findRecipe(*options.model) : recipes().front()};
  Recipe& recipe = settings.recipe;
  recipe.epochs = options.epochs.value_or(recipe.epochs);
  recipe.batchSize = options.batchSize.value_or(recipe.batchSize);
  recipe.lr = options.lr.value_or(recipe.lr);
  settings.seed = options.seed.value_or(settings.seed);
  settings.validation = options.validation;
  settings.patience = options.patience.value_or(0);
  settings.bestFile = options.saveBest;
  return settings;
}

}  // namespace

Run::Run(const Options& options, const std::string& file) {
  const data::FashionMnistOptions where{.dir = options.data, .dirSource = "--data"};
  data::TensorDataset all = data::fashionMnist("train", where);
  settings_ = file.empty() ? newSettings(options) : savedSettings(file, options, all.size());
  if (settings_.validation) {
    const i64 whole = all.size(), heldOut = whole / 12;  // 5,000 of 60,000
    auto parts = data::split(std::move(all), {whole - heldOut, heldOut});
    train_ = std::make_unique<data::Subset>(std::move(parts[0]));
    test_ = std::make_unique<data::Subset>(std::move(parts[1]));
  } else {
    train_ = std::make_unique<data::TensorDataset>(std::move(all));
    test_ = std::make_unique<data::TensorDataset>(data::fashionMnist("test", where));
  }

  const Recipe& recipe = settings_.recipe;
  ember::seed(settings_.seed);
  net_ = makeModel(recipe.model);
  if (!options.initFrom.empty()) load(options.initFrom, *net_);  // before an average of the weights begins
  sgd_ = std::make_unique<optim::SGD>(net_->namedParameters(),
                                      optim::SGDOptions{.lr = recipe.lr,
                                                        .momentum = recipe.momentum,
                                                        .weightDecay = recipe.weightDecay,
                                                        .nesterov = true,
                                                        .groups = {{.pattern = "*.bias", .weightDecay = 0}}});
  // Equal batches, unless there is not even one.
  const bool dropLast = train_->size() >= recipe.batchSize;
  const i64 batches = data::Loader(*train_, {.batchSize = recipe.batchSize, .dropLast = dropLast}).size();
  // A learning rate that rises and falls has two steps or more.
  if (batches * recipe.epochs < 2) {
    throw UsageError(
        fmt::format("--batch-size {} --epochs {}: {} pictures make 1 step, a run needs 2 or more; lower --batch-size "
                    "or raise --epochs",
                    recipe.batchSize, recipe.epochs, train_->size()));
  }
  trainer_ = std::make_unique<optim::Trainer>(
      *net_, *sgd_, *train_,
      optim::TrainerOptions{.epochs = recipe.epochs,
                            .batchSize = recipe.batchSize,
                            .seed = settings_.seed,
                            .dropLast = dropLast,
                            .schedule = optim::schedule::oneCycle({.steps = batches * recipe.epochs,
                                                                   .warmUp = recipe.warmUp,
                                                                   .startDivisor = recipe.startDivisor,
                                                                   .finalDivisor = recipe.finalDivisor}),
                            .labelSmoothing = recipe.labelSmoothing,
                            .emaDecay = recipe.emaDecay,
                            .transforms = augmentation(recipe),
                            .best = optim::BestOptions{.name = std::string(testName()) + " accuracy",
                                                       .metric =
                                                           [this](const optim::EpochInfo&) {
                                                             evaluation_ = trainer_->evaluate(*test_);
                                                             return evaluation_.accuracy;
                                                           },
                                                       .maximize = true,
                                                       .patience = settings_.patience}});
  if (!file.empty()) resumeRun(*trainer_, file, options.run);
}

std::vector<float> Run::predict(i64 index) {
  const NoGrad guard;
  const optim::EmaScope averaged(trainer_->ema());
  net_->eval();
  const std::vector<i64> one{index};
  return softmax((*net_)(test_->batch(one).images), 1).toVector<float>();
}
