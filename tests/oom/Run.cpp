#include "oom/Run.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/Random.h>
#include <ember/core/Threads.h>
#include <ember/nn/data/Transforms.h>
#include <ember/nn/layers/Layers.h>

#include "support/Draw.h"

namespace ember::test {
namespace {

/// relu(norm(conv(x)) + x)
struct Block : nn::Module {
  using Module::forward;
  explicit Block(i64 width, bool inplace)
      : conv(add("conv", nn::Conv2D(width, width, {.kernel = 3, .padding = 1, .bias = false}))),
        norm(add("norm", nn::BatchNorm2D(width, {.inplace = inplace}))) {}
  nn::Conv2D& conv;
  nn::BatchNorm2D& norm;
  Tensor forward(const Tensor& x) override { return relu(norm(conv(x)) + x); }
};

void append(std::string& bytes, const core::NDArray& array) {
  const core::NDArray dense = array.contiguous();
  bytes.append(static_cast<const char*>(dense.raw()), static_cast<std::size_t>(dense.bytes()));
}

template <class T>
void appendValue(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

constexpr int mostComplaints = 8;

// One thread, however this program is started: with more, oneDNN allocates within parallel regions, which no exception
// may leave (FailingAllocator.h), and the program ends.
[[maybe_unused]] const bool alone = (setThreads(1), true);

}  // namespace

std::unique_ptr<nn::Module> smallNet(bool inplace) {
  return std::make_unique<nn::Sequential>(
      nn::Conv2D(1, 4, {.kernel = 3, .padding = 1, .bias = false}),
      nn::BatchNorm2D(4, {.act = inplace ? nn::Act::LeakyReLU : nn::Act::ReLU, .inplace = inplace}), Block(4, inplace),
      nn::MaxPool2D({.kernel = 2}), nn::Flatten(), nn::Dropout(0.25), nn::Linear(36, 3));
}

data::TensorDataset smallData(i64 samples) {
  const Tensor labels = integers("labels", {samples}, 3);
  return {draw("images", {samples, 1, 6, 6}).to(DType::F32), labels};
}

optim::TrainerOptions plain() { return {.batchSize = 4, .seed = 5, .prefetch = false}; }

optim::TrainerOptions everything() {
  optim::TrainerOptions options = plain();
  options.epochs = 3;
  options.schedule = optim::schedule::warmUp(100, 0.1, optim::schedule::cosine(10'000));
  options.labelSmoothing = 0.1;
  options.clipNorm = 0.5;
  options.emaDecay = 0.9;
  options.transforms = {data::RandomCrop(1), data::RandomFlip()};
  options.plateau.emplace();
  return options;
}

Run::Run(const RunOptions& options)
    : net((ember::seed(3), smallNet(options.inplace))),
      data(smallData(options.samples)),
      optimizer(optim::makeOptimizer(options.optimizer, net->namedParameters(), options.rates)),
      trainer(*net, *optimizer, data, options.training) {}

std::string bytesOf(nn::Module& net) {
  std::string bytes;
  for (const nn::Parameter& p : net.namedParameters()) {
    append(bytes, p.tensor.array());
    bytes += p.tensor.requiresGrad() ? 'g' : '-';
  }
  for (const nn::Parameter& b : net.namedBuffers()) append(bytes, b.tensor.array());
  for (const auto& [path, calls] : net.streams()) bytes += path + std::to_string(calls);
  for (const auto& entry : net.namedModules()) bytes += entry.second->training() ? 't' : 'e';
  return bytes;
}

std::string bytesOf(const optim::Optimizer& optimizer) {
  std::string bytes = optimizer.state().dump();
  for (const nn::Parameter& slot : optimizer.namedSlots()) append(bytes, slot.tensor.array());
  return bytes;
}

std::string Run::state() {
  std::string bytes = bytesOf(*net) + bytesOf(*optimizer);
  if (trainer.ema()) {
    for (const nn::Parameter& average : trainer.ema()->averages()) append(bytes, average.tensor.array());
    appendValue(bytes, trainer.ema()->updates());
  }
  if (trainer.plateau()) bytes += trainer.plateau()->state().dump();
  for (const i64 number : {trainer.epoch(), trainer.batch(), last.step, last.samples, random::programCalls()})
    appendValue(bytes, number);
  for (const double figure : {last.loss, last.lr, last.meanLoss, last.accuracy}) appendValue(bytes, figure);
  return bytes;
}

i64 refuseEvery() {
  const char* told = std::getenv("EMBER_REFUSE_EVERY");
  return told ? std::max(1, std::atoi(told)) : 1;
}

void refuseEach(const std::string& what, Refuse how, const Refusals& refusals) {
  const i64 every = refuseEvery();
  i64 refused = 0, unneeded = 0;
  int complaints = 0;
  InUse first;
  for (i64 n = 0; complaints < mostComplaints; n += n < 2 ? 1 : every) {  // 0 is 1 for once, before what is in use is looked at
    refusals.prepare();
    const InUse now = inUse();
    if (n == 1) first = now;
    const std::string before = refusals.state();
    const Outcome outcome = failing(std::max<i64>(n, 1), how, refusals.call);
    const auto complain = [&](const std::string& problem) {
      ++complaints;
      const std::string which = (how == Refuse::Once ? "allocation " : "allocations from ") + std::to_string(n);
      const std::string thrown = outcome.threw ? "\n  " + outcome.kind + ": " + outcome.message : "";
      FAIL_CHECK((what + ", " + which + " failing: " + problem + thrown));
    };
    if (n > 1 && !(now == first)) {
      complain("after the one before, " + std::to_string(now.blocks - first.blocks) + " blocks and " +
               std::to_string(now.tensorBytes - first.tensorBytes) + " bytes of tensors more are in use");
      first = now;
    }
    if (outcome.threw && outcome.kind == "other") complain("another exception");
    if (outcome.threw && refusals.state() != before) complain("the state is not what it was before");
    if (!outcome.refused) {
      if (outcome.threw) complain("nothing was refused, yet it threw");
      const std::string behind = refusals.state();
      if (!outcome.threw && behind != refusals.expected()) complain("with memory, it comes to something else");
      break;
    }
    refused += n > 0 ? 1 : 0;
    unneeded += n > 0 && !outcome.threw ? 1 : 0;
    if (outcome.threw) {
      if (const Outcome again = failing(0, how, refusals.call); again.threw) {
        complain("it does not get through with memory either: " + again.message);
        break;
      }
    }
    if (const std::string behind = refusals.state(); behind != refusals.expected()) {
      complain(outcome.threw ? "done again, it comes to something else"
                             : "no exception, and it came to something else");
    }
    if (!outcome.threw) {  // once more, so that what it did without is there again
      refusals.prepare();
      refusals.call();
      if (const std::string behind = refusals.state(); behind != refusals.expected()) complain("the next call differs");
    }
  }
  CHECK(refused > 0);
  if (complaints > 0) return;
  std::printf("%s, %s: allocations failed: %lld, all refused cleanly", what.c_str(),
              how == Refuse::Once ? "once" : "and all after", static_cast<long long>(refused));
  std::printf(unneeded > 0 ? " (%lld could be done without)\n" : "\n", static_cast<long long>(unneeded));
}

void refuseEach(const std::string& what, const Refusals& refusals) {
  refuseEach(what, Refuse::Once, refusals);
  refuseEach(what, Refuse::AllAfter, refusals);
}

}  // namespace ember::test
