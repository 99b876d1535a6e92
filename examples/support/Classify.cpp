#include "Classify.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "Baselines.h"
#include "Console.h"
#include "Profile.h"

using namespace ember;

namespace {

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(); }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

/// A line after each epoch, and on a terminal one that redraws itself meanwhile.
void showProgress(optim::Trainer& trainer, const data::Dataset& test, const Stopwatch& watch) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const i64 epochs = trainer.options().epochs, steps = trainer.totalSteps();
  if (terminal) {
    trainer.afterStep([=, &watch, shown = 0.0](const optim::StepInfo& info) mutable {
      if (watch.seconds() < shown + 0.1) return;
      shown = watch.seconds();
      const double left = shown / static_cast<double>(info.step) * static_cast<double>(steps - info.step);
      console::print("\r\x1b[Kepoch {}/{} {:3} %  loss {:.3f}  {:.0f} s left", info.epoch + 1, epochs,
                     100 * (info.batch + 1) / info.batches, info.meanLoss, left);
    });
  }
  trainer.afterEpoch([=, &trainer, &test, &watch](const optim::EpochInfo& info) {
    console::print("{}epoch {:2}/{}  loss {:.3f}  training {:5.1f} %  test {:5.1f} %  {:.0f} s\n",
                   terminal ? "\r\x1b[K" : "", info.epoch + 1, epochs, info.meanLoss, 100 * info.accuracy,
                   100 * trainer.evaluate(test).accuracy, watch.seconds());
  });
}

/// What is to be done: checked and, as far as a run that is resumed decides it, read from there.
Plan settle(const Options& options, const Defaults& defaults) {
  Plan plan{defaults.samples, defaults.epochs, defaults.seed, options.program, {}, options};
  RunFlags& flags = plan.options.run;
  plan.from = chooseRun(flags, plan.program, defaults.save);
  checkDifferent({{"--save", flags.save, true}, {"--profile", options.profile}});
  checkDifferent({{"--resume", plan.from, true}, {"--profile", options.profile}});
  if (plan.from.empty()) {
    plan.samples = options.samples.value_or(plan.samples);
    plan.epochs = options.epochs.value_or(plan.epochs);
    plan.seed = options.seed.value_or(plan.seed);
  } else {
    const io::Checkpoint saved = readRun(plan.from, plan.program, "give a file that this program saved");
    plan.samples = saved.train.get<i64>({"data", "count"});
    if (plan.samples < fewestSamples || plan.samples > mostSamples) {
      throw IoError(plan.program, fmt::format("{} is a run on {} samples, this program makes {} to {}", plan.from,
                                              plan.samples, fewestSamples, mostSamples));
    }
    plan.epochs = saved.train.get<i64>("epochs");
    plan.seed = saved.train.get<u64>("seed");
    Conflicts conflicts(plan.from, flags.override);
    conflicts.compare("--samples", options.samples, plan.samples);
    conflicts.compareEpochs(options.epochs, saved.train.get<i64>("epoch"), plan.epochs);
    conflicts.compare("--seed", options.seed, plan.seed);
    conflicts.refuse({});
  }
  checkMayReplaceRun(flags.save, plan.from, flags.overwrite);
  return plan;
}

}  // namespace

int classify(nn::Module& net, const data::TensorDataset& train, const data::TensorDataset& test, double lr,
             const Plan& plan) {
  const RunFlags& flags = plan.options.run;
  console::print("{} samples to train with, {} to test, {} classes; {} parameters; {} thread{}; seed {}\n",
                 train.size(), test.size(), train.classNames().size(), net.parameterCount(), threads(),
                 threads() == 1 ? "" : "s", plan.seed);

  // Whole batches only, since batch norm can't train on one sample, and two of them at least, for the schedule's sake.
  const i64 batch = std::clamp<i64>(train.size() / 2, 1, 64);
  optim::SGD sgd(net.namedParameters(), {.lr = lr, .momentum = 0.9, .weightDecay = 5e-4, .nesterov = true});
  optim::Trainer trainer(net, sgd, train,
                         {.epochs = plan.epochs,
                          .batchSize = batch,
                          .seed = plan.seed,
                          .dropLast = true,
                          .schedule = optim::schedule::oneCycle({.steps = plan.epochs * (train.size() / batch)}),
                          .labelSmoothing = 0.05});
  if (!plan.from.empty()) resumeRun(trainer, plan.from, flags);
  if (nothingToDo(trainer, plan.from, plan.options.epochs)) return 0;
  SavedTraining training(trainer, flags);
  const Stopwatch watch;
  showProgress(trainer, test, watch);
  const int code = training.run();
  if (!trainer.finished() || code != 0) return code;
  const double trained = watch.seconds();

  const double accuracy = optim::accuracy(net, test);
  const auto loaded = nn::load(flags.save);  // the net of a run is a net
  const double again = optim::accuracy(*loaded, test);

  console::print("\ntest accuracy\n");
  console::print("  linear model       {:6.2f} %\n", 100 * linearAccuracy(train, test, plan.seed));
  console::print("  nearest neighbour  {:6.2f} %\n", 100 * nearestNeighbourAccuracy(train, test));
  console::print("  the net            {:6.2f} %  after {:.0f} s of training\n", 100 * accuracy, trained);
  console::print("  loaded from file   {:6.2f} %  {}, {}\n", 100 * again, flags.save,
                 again == accuracy ? "the same" : "ANOTHER ACCURACY THAN WAS SAVED");
  return again == accuracy ? 0 : 1;
}

int runProgram(const Options& options, const Defaults& defaults, const std::function<int(const Plan&)>& body) {
  try {
    if (options.threads > 0) setThreads(static_cast<int>(options.threads));
    const Plan plan = settle(options, defaults);
    seed(plan.seed);
    const Profile profile(options.profile, options.run.overwrite);
    return console::exitCode(body(plan));
  } catch (const UsageError& error) {
    console::complain(fmt::format("{}: {}", options.program, error.what()));
    return 2;
  } catch (const std::exception& error) {
    console::complain(error.what());
    return 1;
  }
}
