// Trains a CNN on Fashion-MNIST: progress, accuracy after each epoch, a report, a checkpoint to resume from.
// test: --model small --epochs 2 --batch-size 64 --threads 1 --save run.json --json result.json
// test: --resume run.json --epochs 1
// test: --evaluate --resume run.json
// test: --predict 7 --resume run.json --profile predict.json
// test: --model resnet --epochs 1 --validation --save resnet.json
// test: --help
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/ReportFile.h>

#include "Options.h"
#include "Picture.h"
#include "ProgressBar.h"
#include "Report.h"
#include "Run.h"
#include "support/Console.h"
#include "support/Profile.h"

using namespace ember;

namespace {

void printReport(const Run& run, const optim::Evaluation& evaluation) {
  const std::vector<std::string> names = run.test().classNames();
  console::print("\n{}\n{}\n{} accuracy {:.2f} % on {} pictures\n", classTable(evaluation, names),
                 confusionMatrix(evaluation, names), run.testName(), 100 * evaluation.accuracy, evaluation.samples);
}

void writeJson(const std::string& path, Run& run, const optim::Evaluation& evaluation, const ProgressBar& bar) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const Value result{{"model", run.settings().recipe.model},
                     {"seed", Value::counter(run.settings().seed)},
                     {"threads", threads()},
                     {std::string(run.testName()) + "_accuracy", evaluation.accuracy},
                     {std::string(run.testName()) + "_loss", evaluation.loss},
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
    throw UsageError(fmt::format("--predict {}: the {} pictures are numbered 0 to {}", index, run.testName(),
                                 run.test().size() - 1));
  }
  const auto truth = static_cast<std::size_t>(run.test().get(index).label.item());
  const std::vector<std::string> names = run.test().classNames();
  const bool colour = ::isatty(STDOUT_FILENO) == 1 && !std::getenv("NO_COLOR");
  // Delivered pictures run from black to the white of a full byte; back to bytes for showing.
  const Tensor delivered = run.test().get(index).image.select(0, 0);
  const Tensor bytes = ((delivered - data::fashionMnistBlack) * (255 * 0.3530) + 0.5).to(DType::I64);
  console::print("{}\npicture {}, in truth: {}\n\n{}", drawPicture(bytes, colour), index, names[truth],
                 drawChances(run.predict(index), names, 3));
  return 0;
}

/// Refuses what would replace a file that is not this run's. `from` is the run to go on from or to look at.
void checkOutputs(const Options& options, const std::string& from, bool onlyLook) {
  const RunFlags& flags = options.run;
  const Output json{"--json", options.json}, profile{"--profile", options.profile};
  checkDifferent({{"--resume", from, true}, {"--init-from", options.initFrom}, json, profile});
  if (!onlyLook) {
    checkDifferent({{"--save", flags.save, true}, {"--save-best", options.saveBest, true}, json, profile});
    checkMayReplaceRun(flags.save, from, flags.overwrite);
  }
  if (!flags.overwrite)
    checkMayReplaceReport(options.json, "\"images_per_second\"", "write to another file, or --overwrite replaces it");
  if (!options.json.empty()) io::checkCanReport(options.json, "fashion_mnist");
}

/// Whether a run of that net and seed is in the file, or nothing.
bool holdsRunLike(Run& run, const std::string& file) try {
  if (!std::filesystem::exists(file)) return true;
  const io::Checkpoint there = io::readCheckpoint(file);
  return !there.train.isNull() && there.model == run.net().architecture() &&
         there.train.get<u64>("seed") == run.settings().seed;
} catch (const Error&) {
  return false;
}

/// The best epoch of a run that goes on in its file goes on in the file where the run kept it; any other is refused if
/// it is there.
void checkBestFile(Run& run, const Options& options, const std::string& from) {
  const std::string &best = run.settings().bestFile, &known = run.settings().bestFileOfRun;
  if (best.empty() && !known.empty()) {
    console::complain(fmt::format("fashion_mnist: {0} kept its best epoch in {1}, which stays as it is; "
                                  "--save-best {1} goes on with that",
                                  from, known));
  }
  const bool own = best == known && goesOnIn(options.run.save, from) && holdsRunLike(run, best);
  checkMayReplaceRun(best, own ? best : "", options.run.overwrite);
}

int train(Run& run, const Options& options, const std::string& from) {
  optim::Trainer& trainer = run.trainer();
  const Settings& settings = run.settings();
  const i64 epochs = settings.recipe.epochs;
  checkBestFile(run, options, from);
  if (nothingToDo(trainer, from, options.epochs)) {
    if (!options.json.empty()) writeJson(options.json, run, trainer.evaluate(run.test()), ProgressBar(0, 0));
    return 0;
  }
  SavedTraining training(trainer, options.run, settings.bestFile);
  console::print("{}: {} parameters; {} pictures to train with, {} to test; {} thread{}; seed {}\n",
                 settings.recipe.model, run.net().parameterCount(), run.train().size(), run.test().size(), threads(),
                 threads() == 1 ? "" : "s", settings.seed);

  ProgressBar bar(trainer.totalSteps(), epochs);
  trainer.beforeStep([&] { bar.beforeStep(); });
  trainer.afterStep([&](const optim::StepInfo& info) { bar.afterStep(info); });
  trainer.afterEpoch([&](const optim::EpochInfo& info) {
    bar.clear();
    console::print("epoch {}/{}  {} accuracy {:.2f} %  loss {:.4f}  (training: {:.2f} %, {:.4f})\n", info.epoch + 1,
                   info.epochs, run.testName(), 100 * run.evaluation().accuracy, run.evaluation().loss,
                   100 * info.accuracy, info.meanLoss);
  });

  const int code = training.run();
  if (!trainer.finished()) return code;
  if (trainer.endedEarly()) {
    console::print("{} epochs in a row were no better than epoch {}: the run ends early\n", trainer.best()->badEpochs(),
                   trainer.best()->epoch() + 1);
  }
  printReport(run, run.evaluation());
  console::print("{} of training, {:.0f} images/s; {} {}\n", durationText(bar.trainSeconds()), bar.imagesPerSecond(),
                 code == 0 ? "saved" : "see above for", options.run.save);
  if (!settings.bestFile.empty()) {
    const optim::BestEpoch& best = *trainer.best();
    const bool there = best.file() == settings.bestFile && best.keptValue() == best.value();
    console::print("best: epoch {}, {} accuracy {:.2f} %, {}in {}\n", best.epoch() + 1, run.testName(),
                   100 * best.value().value_or(0), there ? "" : "not ", settings.bestFile);
  }
  if (!options.json.empty()) writeJson(options.json, run, run.evaluation(), bar);
  return code;
}

int start(Options options) {
  if (options.threads) setThreads(static_cast<int>(*options.threads));
  const bool onlyLook = options.evaluate || options.predict;
  if (onlyLook && options.run.resume.empty())
    options.run.resume = options.run.save.empty() ? defaultSave : options.run.save;
  const std::string from = chooseRun(options.run, "fashion_mnist", defaultSave, !onlyLook);
  if (onlyLook && from.empty()) throw UsageError("there is no run to look at");
  checkOutputs(options, from, onlyLook);
  const Profile profile(options.profile, options.run.overwrite);
  Run run(options, from);
  if (options.predict) return predict(run, *options.predict);
  if (!options.evaluate) return train(run, options, from);
  const optim::Evaluation evaluation = run.trainer().evaluate(run.test());
  printReport(run, evaluation);
  if (!options.json.empty()) writeJson(options.json, run, evaluation, ProgressBar(0, 0));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  console::open();
  int exitCode = 0;
  const std::optional<Options> options = parseOptions(argc, argv, exitCode);
  if (!options) return console::exitCode(exitCode);
  try {
    return console::exitCode(start(*options));
  } catch (const UsageError& error) {
    console::complain(fmt::format("fashion_mnist: {}", error.what()));
    return 2;
  } catch (const std::exception& error) {
    console::complain(error.what());
    return 1;
  }
}
