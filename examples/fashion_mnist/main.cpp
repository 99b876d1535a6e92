// Trains a CNN on Fashion-MNIST: progress, accuracy after each epoch, a report, a checkpoint to resume from.
// test: --model small --epochs 2 --batch-size 64 --threads 1 --save run.json --json result.json
// test: --resume run.json --epochs 1
// test: --evaluate --resume run.json
// test: --predict 7 --resume run.json --profile predict.json
// test: --model resnet --epochs 1 --validation --save resnet.json
// test: --help
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include <ember/core/io/ReportFile.h>

#include "Interrupt.h"
#include "Options.h"
#include "Picture.h"
#include "ProgressBar.h"
#include "Report.h"
#include "Run.h"
#include "support/Profile.h"

using namespace ember;

namespace {

const char* testName(const Run& run) { return run.settings().validation ? "validation" : "test"; }

void printReport(const Run& run, const optim::Evaluation& evaluation) {
  const std::vector<std::string> names = run.test().classNames();
  fmt::print("\n{}\n{}\n{} accuracy {:.2f} % on {} pictures\n", classTable(evaluation, names),
             confusionMatrix(evaluation, names), testName(run), 100 * evaluation.accuracy, evaluation.samples);
}

void writeJson(const std::string& path, Run& run, const optim::Evaluation& evaluation, const ProgressBar& bar) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const Value result{{"model", run.settings().recipe.model},
                     {"seed", Value::counter(run.settings().seed)},
                     {"threads", threads()},
                     {std::string(testName(run)) + "_accuracy", evaluation.accuracy},
                     {std::string(testName(run)) + "_loss", evaluation.loss},
                     {"epochs", run.trainer().epoch()},
                     {"train_seconds", bar.trainSeconds()},
                     {"images_per_second", bar.imagesPerSecond()},
                     {"peak_rss_bytes", i64{usage.ru_maxrss} * 1024},
                     {"parameters", run.net().parameterCount()}};
  io::ReportFile file(path, "fashion_mnist");
  file.write(result.dumpReadable() + "\n");
  file.commit();
}

/// Shows picture `index` of the test set and the three likeliest classes.
int predict(Run& run, i64 index) {
  if (index >= run.test().size()) {
    throw UsageError(
        fmt::format("--predict {}: the {} pictures are numbered 0 to {}", index, testName(run), run.test().size() - 1));
  }
  const auto truth = static_cast<std::size_t>(run.test().get(index).label.item());
  const std::vector<std::string> names = run.test().classNames();
  const bool colour = ::isatty(STDOUT_FILENO) == 1 && !std::getenv("NO_COLOR");
  // Delivered pictures run from black to the white of a full byte; back to bytes for showing.
  const Tensor delivered = run.test().get(index).image.select(0, 0);
  const Tensor bytes = ((delivered - data::fashionMnistBlack) * (255 * 0.3530) + 0.5).to(DType::I64);
  fmt::print("{}\npicture {}, in truth: {}\n\n{}", drawPicture(bytes, colour), index, names[truth],
             drawChances(run.predict(index), names, 3));
  return 0;
}

/// Saves the run; a disk that is full is said, and no reason to lose what was trained so far.
bool trySave(optim::Trainer& trainer, const std::string& path) {
  try {
    trainer.save(path);
    return true;
  } catch (const IoError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return false;
  }
}

int train(Run& run, const Options& options) {
  optim::Trainer& trainer = run.trainer();
  const i64 epochs = run.settings().recipe.epochs;
  if (trainer.finished() || options.epochs.value_or(epochs) <= trainer.epoch()) {
    fmt::print("{} is trained for {} of {} epochs already; nothing to do\n", options.resume, trainer.epoch(), epochs);
    if (!options.json.empty()) writeJson(options.json, run, trainer.evaluate(run.test()), ProgressBar(0, 0));
    return 0;
  }
  if (!options.save.empty()) io::checkCanSave(options.save, "fashion_mnist");
  if (!options.json.empty()) io::checkCanReport(options.json, "fashion_mnist");
  fmt::print("{}: {} parameters; {} pictures to train with, {} to test; {} thread{}; seed {}\n",
             run.settings().recipe.model, run.net().parameterCount(), run.train().size(), run.test().size(), threads(),
             threads() == 1 ? "" : "s", run.settings().seed);

  ProgressBar bar(trainer.totalSteps(), epochs);
  optim::Evaluation evaluation;
  bool saved = false;
  trainer.beforeStep([&] { bar.beforeStep(); });
  trainer.afterStep([&](const optim::StepInfo& info) { bar.afterStep(info); });
  trainer.afterEpoch([&](const optim::EpochInfo& info) {
    evaluation = trainer.evaluate(run.test());
    bar.clear();
    fmt::print("epoch {}/{}  {} accuracy {:.2f} %  loss {:.4f}  (training: {:.2f} %, {:.4f})\n", info.epoch + 1,
               info.epochs, testName(run), 100 * evaluation.accuracy, evaluation.loss, 100 * info.accuracy,
               info.meanLoss);
    std::fflush(stdout);
    saved = trySave(trainer, options.save);
  });

  const Interrupt interrupt(trainer);
  if (!trainer.run()) {
    bar.clear();
    const char* signal = Interrupt::signal() == SIGTERM ? "SIGTERM" : "Ctrl-C";
    fmt::print("stopped by {} in epoch {} of {}\n", signal, trainer.epoch() + 1, epochs);
    if (!trySave(trainer, options.save)) return 1;
    fmt::print("saved {}, continue with --resume {}\n", options.save, options.save);
    return 128 + Interrupt::signal();
  }
  printReport(run, evaluation);
  fmt::print("{} of training, {:.0f} images/s; {} {}\n", durationText(bar.trainSeconds()), bar.imagesPerSecond(),
             saved ? "saved" : "NOT saved:", options.save);
  if (!options.json.empty()) writeJson(options.json, run, evaluation, bar);
  return saved ? 0 : 1;
}

int start(const Options& options) {
  if (options.threads) setThreads(static_cast<int>(*options.threads));
  const Profile profile(options.profile);
  const bool onlyLook = options.evaluate || options.predict;
  Run run(options, options.resume.empty() && onlyLook ? options.save : options.resume);
  if (options.predict) return predict(run, *options.predict);
  if (!options.evaluate) return train(run, options);
  const optim::Evaluation evaluation = run.trainer().evaluate(run.test());
  printReport(run, evaluation);
  if (!options.json.empty()) writeJson(options.json, run, evaluation, ProgressBar(0, 0));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  int exitCode = 0;
  const std::optional<Options> options = parseOptions(argc, argv, exitCode);
  if (!options) return exitCode;
  try {
    return start(*options);
  } catch (const UsageError& error) {
    fmt::print(stderr, "fashion_mnist: {}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
