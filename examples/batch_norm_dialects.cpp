// One input through the batch norm of five systems: what each stores and returns, and which options to choose.
//
// test: --batches 5
// test: --batches 1 --seed 7 --profile
// test: --help
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <ember/ember.h>

#include "support/Draws.h"
#include "support/Profile.h"

using namespace ember;

namespace {

struct Dialect {
  const char* name;
  nn::BatchNormNDOptions options;
  const char* note;
};

std::vector<Dialect> dialects() {
  namespace presets = nn::presets;
  return {
      {"puzzle", presets::puzzle(), "f = max(1/n, 0.1); the scale starts Normal(1, 0.01)"},
      {"puzzleAsDocumented", presets::puzzleAsDocumented(), "its documentation: f weighs the old statistic"},
      {"brainpy27", presets::brainpy27(), "momentum 0.99, variance biased, channels last"},
      {"brainpy28", presets::brainpy28(), "momentum 0.99, variance unbiased, channels last"},
      {"megengine", presets::megengine(), "momentum 0.9, variance unbiased"},
      {"paddleCpu", presets::paddleCpu(), "momentum 0.9, variance biased"},
      {"paddleGpu", presets::paddleGpu(), "momentum 0.9, variance unbiased"},
      {"mxnetCpu", presets::mxnetCpu(), "epsilon 1e-3, scale fixed to 1; biased, moved by the backward"},
      {"mxnetCudnn", presets::mxnetCudnn(), "epsilon 1e-3, scale fixed to 1; unbiased"},
  };
}

constexpr i64 rows = 4;

/// Batch n of one channel: [rows, 1], whose mean drifts.
Tensor batchOf(u64 seed, i64 n) {
  Draws draws(seed, 1, n);
  std::vector<double> values;
  for (i64 i = 0; i < rows; ++i) values.push_back(static_cast<double>(n) + 2 * draws.noise());
  return Tensor::of<double>(values, {rows, 1});
}

/// What one dialect did with one batch.
struct Step {
  double weight;          ///< of the new statistic
  double mean, variance;  ///< running, after the backward
  double y, dx;           ///< of the first value in training
  double inference;       ///< the first value in evaluation, afterwards
};

/// The weight that the new statistic had in the update that made n batches.
double weightOf(const nn::BatchNormNDOptions& o, i64 n) {
  return updateFactor({.momentum = o.momentum,
                       .initFactor = o.initFactor,
                       .minFactor = o.minFactor,
                       .factorWeighs = o.factorWeighs,
                       .batches = Tensor::zeros({}, DType::I64)},
                      n);
}

std::vector<Step> run(const nn::BatchNormNDOptions& options, const std::vector<Tensor>& batches, u64 seedValue) {
  seed(seedValue);
  nn::BatchNorm1D norm(1, options);
  norm.to(DType::F64);
  std::vector<Step> steps;
  for (const Tensor& batch : batches) {
    Tensor x = batch.clone();
    norm.train();
    const Tensor y = norm(x.setRequiresGrad());
    (y * y * y).sum().backward();
    norm.eval();
    const NoGrad guard;
    steps.push_back({weightOf(options, static_cast<i64>(steps.size()) + 1), norm.runningMean.item(),
                     norm.runningVar.item(), y.toVector<double>()[0], x.grad().toVector<double>()[0],
                     norm(batch).toVector<double>()[0]});
  }
  return steps;
}

/// "7.2500" in a column of its own; more digits would only say that these are doubles.
std::string cell(double value) { return fmt::format("{:>10.4f}", value); }

void printBatches(const std::vector<Tensor>& batches) {
  fmt::print("the batches: {} values of one channel each\n\n{:<20}", rows, "batch");
  for (std::size_t n = 1; n <= batches.size(); ++n) fmt::print("{:>10}", n);
  const auto row = [&](const char* label, const std::function<double(const std::vector<double>&)>& f) {
    fmt::print("\n{:<20}", label);
    for (const Tensor& batch : batches) fmt::print("{}", cell(f(batch.toVector<double>())));
  };
  const auto mean = [](const std::vector<double>& v) {
    double sum = 0;
    for (const double x : v) sum += x;
    return sum / static_cast<double>(v.size());
  };
  const auto squares = [&](const std::vector<double>& v) {
    double sum = 0;
    for (const double x : v) sum += (x - mean(v)) * (x - mean(v));
    return sum;
  };
  row("first value", [](const auto& v) { return v[0]; });
  row("mean", mean);
  row("variance, biased", [&](const auto& v) { return squares(v) / static_cast<double>(rows); });
  row("variance, unbiased", [&](const auto& v) { return squares(v) / static_cast<double>(rows - 1); });
  fmt::print("\n");
}

using Results = std::vector<std::pair<std::string, std::vector<Step>>>;

void printTable(const char* title, const Results& results, double Step::*what) {
  fmt::print("\n{}\n\n", title);
  for (const auto& [name, steps] : results) {
    fmt::print("{:<20}", name);
    for (const Step& step : steps) fmt::print("{}", cell(step.*what));
    fmt::print("\n");
  }
}

/// What each does with one value a channel, whose variance says nothing.
void printSingleValue() {
  fmt::print("\na batch of the one value 3, shift 0\n\n");
  for (const Dialect& dialect : dialects()) {
    nn::BatchNorm1D norm(1, dialect.options);
    std::string text;
    try {
      Tensor x = Tensor::full({1, 1}, 3);
      const Tensor y = norm(x.setRequiresGrad());
      y.sum().backward();
      text = fmt::format("y {:.0f}, gradient of x {:.0f}, running mean {:.2f}, running variance {:.2f}", y.item(),
                         x.grad().item(), norm.runningMean.item(), norm.runningVar.item());
    } catch (const ValueError&) {
      text = "an error: .singleValuePolicy chooses another answer";
    }
    fmt::print("{:<20}{}\n", dialect.name, text);
  }
}

constexpr const char* advice = R"(
which options to choose, coming from

PuzzleLib   nn::BatchNorm2D(maps, nn::presets::puzzle()), which is what a plain nn::BatchNorm2D(maps) does as well.
            epsilon, initFactor, minFactor, sscale, affine, inplace, name, empty are called the same. Its documentation
            says that the factor weighs the old statistic, its code weighs the new one; puzzleAsDocumented() follows the
            former, and then its first batch changes nothing. inplace works in training, too. Gradients are those of the
            loss, where PuzzleLib's are the negative ones.
brainpy     brainpy28() for 2.8 and later, brainpy27() before: the running variance changed from biased to unbiased.
            num_features -> maps, axis -> reduceAxes, momentum -> momentum, axis_name -> syncGroup,
            axis_index_groups -> syncGroup = group->split({{0, 1}, {2, 3}}).
MegEngine   megengine(). track_running_stats -> trackRunningStats, freeze -> freeze or setFreeze(), in every rank;
            eps_mode -> epsMode, param_dim -> channelAxis, SyncBatchNorm's group -> syncGroup. It stores parameters as
            [1, C, 1, 1]: reshape them to [C].
Paddle      paddleGpu() goes on with what was trained through cuDNN, paddleCpu() with the rest; they differ in the
            running variance alone. momentum -> momentum, data_layout -> dataLayout, is_test -> isTest, param_attr and
            bias_attr -> paramAttr and biasAttr, or useScale = false and useShift = false for their False;
            use_global_stats None, True, False -> Auto, True, False (of the older paddle.nn.BatchNorm False -> Auto);
            moving_mean_name, moving_variance_name -> meanName, varName; act, trainable_statistics alike.
MXNet       mxnetCudnn(), or mxnetCpu() where the running statistics must move in the backward alone, as there. Both fix
            the scale to 1 as its operator does; gluon has .fixGamma = false and .epsilon = 1e-5. axis -> channelAxis,
            use_global_stats False, True -> Auto, True; output_mean_var -> outputMeanVar, cudnn_off -> backend,
            min_calib_range, max_calib_range -> minCalib, maxCalib and forwardInt8().
PyTorch     .momentum is the weight of the old statistic: 1 - torch's, so .momentum = 0.9 for its 0.1; .sscale = 0.

a preset is a value, so the rest is set on it:   auto o = nn::presets::paddleGpu();  o.act = nn::Act::ReLU;
)";

void show(i64 count, u64 dataSeed) {
  for (const Dialect& dialect : dialects()) fmt::print("{:<20}{}\n", dialect.name, dialect.note);
  std::vector<Tensor> batches;
  for (i64 n = 1; n <= count; ++n) batches.push_back(batchOf(dataSeed, n));
  fmt::print("\n");
  printBatches(batches);

  Results results;
  for (const Dialect& dialect : dialects()) results.emplace_back(dialect.name, run(dialect.options, batches, dataSeed));
  printTable("weight of the new statistic", results, &Step::weight);
  printTable("running mean, from 0", results, &Step::mean);
  printTable("running variance, from 1", results, &Step::variance);
  printTable("y of the first value in training (puzzle's scale was drawn near 1)", results, &Step::y);
  printTable("gradient of the sum of y cubed for the first value", results, &Step::dx);
  printTable("y of the same value in evaluation, by the running statistics so far", results, &Step::inference);
  printSingleValue();
  fmt::print("{}", advice);
}

}  // namespace

int main(int argc, char** argv) {
  i64 count = 5, seedValue = 1;
  std::string profileFile;
  CLI::App app("Sends one input through the batch norm of five systems and shows what each stores and returns.",
               "batch_norm_dialects");
  app.set_help_flag("--help", "print this and exit");
  app.add_option("--batches", count, "training batches, 1 to 12 (default 5)")->check(CLI::Range(1, 12))->type_name("N");
  app.add_option("--seed", seedValue, "of the data and the scale (default 1)")
      ->check(CLI::Range(0, 1'000'000'000))
      ->type_name("N");
  addProfileFlag(app, profileFile);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "batch_norm_dialects: {}\nbatch_norm_dialects --help lists the flags\n", error.what());
    return 2;
  }
  try {
    const Profile profile(profileFile);
    show(count, static_cast<u64>(seedValue));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
