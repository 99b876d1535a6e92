#include <ember/optim/train/Trainer.h>

#include <algorithm>
#include <cmath>

#include <ember/autograd/ops/Loss.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/Warn.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/nn/ForwardState.h>
#include <ember/nn/layers/BatchNormND.h>
#include <ember/optim/Clip.h>
#include <ember/optim/train/RunFile.h>

namespace ember::optim {

// The open epoch: a loader that starts at the present batch, and where we are in it.
struct Trainer::Cursor {
  explicit Cursor(const data::Loader& loader) : next(loader.begin()) {}
  data::Loader::Iterator next;
};

namespace {

// Running statistics can leave the range of their type while loss and gradients look well.
void checkBuffersFinite(const nn::Parameters& buffers, const std::string& where) {
  for (const nn::Parameter& buffer : buffers) {
    if (core::allFinite(buffer.tensor.array())) continue;
    throw NumericError("Trainer.step", "the buffer \"" + buffer.name + "\" is not finite at " + where,
                       {{"tensor", buffer.name + " " + toString(buffer.tensor.shape())}},
                       "look for NaN, infinity or huge numbers in the data; the statistics were put back");
  }
}

/// Whether a batch norm of the net refuses one value a channel.
bool refusesSingleValues(const nn::Module& net) {
  for (const auto& [name, module] : net.namedModules()) {
    const auto* norm = dynamic_cast<const nn::BatchNormND*>(module);
    if (norm && norm->options().singleValuePolicy == SingleValue::Error) return true;
  }
  return false;
}

/// Lines for the error of a loss that is not finite: what the same forward, watched, says of the first such result.
template <class Forward>
Error::Details causeOf(Forward&& forward) {
  try {
    const AnomalyMode watching;
    const NoGrad off;
    forward();
  } catch (const NumericError& error) {
    Error::Details details{{"tensor", "loss"}, {"first", error.headline()}};
    if (!error.at().empty()) details.emplace_back("in", error.at());
    return details;
  } catch (const std::exception&) {  // the loss stays the news
  }
  return {{"tensor", "loss"}};
}

}  // namespace

Trainer::Trainer(nn::Module& net, Optimizer& optimizer, const data::Dataset& train, TrainerOptions options)
    : net_(net), optimizer_(optimizer), train_(train), options_(std::move(options)) {
  if (options_.epochs < 1)
    throw ValueError("Trainer", "epochs is " + std::to_string(options_.epochs), {}, "use 1 or more");
  if (!(options_.clipNorm >= 0))
    throw ValueError("Trainer", "clipNorm is " + std::to_string(options_.clipNorm), {}, "use 0 (off) or more");
  if (!(options_.labelSmoothing >= 0 && options_.labelSmoothing < 1))
    throw ValueError("Trainer", "labelSmoothing is " + std::to_string(options_.labelSmoothing), {},
                     "use 0 (off) up to, but not, 1");
  if (options_.accumulate < 1)
    throw ValueError("Trainer", "accumulate is " + std::to_string(options_.accumulate), {}, "use 1 (off) or more");
  if (options_.plateauMetric && !options_.plateau)
    throw ValueError("Trainer", "plateauMetric is given without plateau", {}, "set .plateau = {...}, too");
  if (options_.plateau) plateau_.emplace(*options_.plateau);
  if (options_.best) best_.emplace(*options_.best);
  if (options_.seed) ember::seed(*options_.seed);
  options_.seed = currentSeed();
  if (options_.emaDecay != 0) ema_ = std::make_unique<Ema>(net, options_.emaDecay);
  const data::Loader loader(train, {.batchSize = options_.batchSize, .dropLast = options_.dropLast});
  batches_ = loader.size();
  // No file could hold the run, nor a 64-bit integer its steps.
  const auto atMost = [](const char* name, i64 count, i64 most) {
    if (count <= most) return;
    throw ValueError("Trainer", std::string(name) + " is " + std::to_string(count), {},
                     "use at most " + std::to_string(most) + "; Trainer::stop() ends a run of any length");
  };
  atMost("epochs", options_.epochs, mostCount / 2 / std::max<i64>(batches_, 1));
  atMost("accumulate", options_.accumulate, mostCount);
  atMost("batchSize", options_.batchSize, mostCount);
  if (loader.lastBatchSize() == 1 && refusesSingleValues(net)) {
    warnOnce("the last batch of an epoch holds 1 sample (" + std::to_string(train.size()) + " mod " +
             std::to_string(options_.batchSize) +
             "); batch norm over one value a channel is an error: set .dropLast = true or another batch size");
  }
}

Trainer::~Trainer() = default;

void Trainer::openEpoch() {
  if (batch_ == 0) {
    for (const auto& hook : beforeEpoch_) hook(epoch_);
  }
  loader_ = std::make_unique<data::Loader>(train_, data::LoaderOptions{.batchSize = options_.batchSize,
                                                                       .shuffle = options_.shuffle,
                                                                       .seed = options_.seed,
                                                                       .epoch = epoch_,
                                                                       .dropLast = options_.dropLast,
                                                                       .prefetch = options_.prefetch,
                                                                       .startBatch = batch_,
                                                                       .transforms = options_.transforms});
  cursor_ = std::make_unique<Cursor>(*loader_);
}

data::Batch Trainer::batchAt(i64 index) {
  try {
    if (!cursor_) openEpoch();  // at batch_
    while (cursor_->next.index() < index) ++cursor_->next;
  } catch (...) {
    closeLoader();  // a loop that threw is over; the next step starts another at this batch
    throw;
  }
  return *cursor_->next;
}

Tensor Trainer::batchLoss(const Tensor& output, const Tensor& labels) const {
  if (!options_.loss) return crossEntropy(output, labels, {.labelSmoothing = options_.labelSmoothing});
  const Tensor loss = options_.loss(output, labels);
  if (!loss.defined())
    throw StateError("Trainer", "the loss function gave an undefined tensor", {},
                     "return the loss of the batch from TrainerOptions::loss");
  if (loss.numel() != 1 || !isFloating(loss.dtype())) {
    throw ShapeError("Trainer", "the loss function gave " + core::describe("", loss.array()) + ", expected a scalar",
                     {}, "reduce it, with mean() or Reduction::Mean, to one f32 or f64");
  }
  return loss;
}

std::string Trainer::place(i64 batch) const {
  return "epoch " + std::to_string(epoch_) + ", batch " + std::to_string(batch);
}

void Trainer::addGradients(const data::Batch& batch, i64 index, double share, Seen& seen) {
  const Tensor output = net_(batch.images);
  const Tensor loss = batchLoss(output, batch.labels);
  const double lossValue = loss.item();
  if (!std::isfinite(lossValue)) {
    throw NumericError(
        "Trainer.step",
        std::string("the loss is ") + (std::isnan(lossValue) ? "NaN" : "infinite") + " at " + place(index),
        causeOf([&] { batchLoss(net_(batch.images), batch.labels); }),
        "look at the data of this batch, or lower the learning rate; nothing has changed");
  }
  if (index == batch_) optimizer_.zeroGrad();
  if (share == 1) {
    loss.backward();
  } else {
    loss.backward({.gradient = Tensor::full(loss.shape(), share, loss.dtype())});
  }
  const i64 samples = batch.images.size(0);
  seen.samples += samples;
  seen.lossSum += lossValue * static_cast<double>(samples);
  seen.loss += share * lossValue;
  if (output.rank() == 2 && batch.labels.rank() == 1 && batch.labels.dtype() == DType::I64)
    seen.correct += countCorrect(output.detach(), batch.labels);
}

Trainer::Seen Trainer::computeGradients(const data::Batch& first, i64 end) {
  const random::SeedScope own(*options_.seed);  // whoever seeded the process since
  Seen seen;
  // All batches but the last of an epoch have one size.
  const i64 size = std::min(options_.batchSize, train_.size());
  const i64 total = std::min(end * size, train_.size()) - batch_ * size;
  for (i64 index = batch_; index < end; ++index) {
    const data::Batch batch = index == batch_ ? first : batchAt(index);
    const i64 samples = batch.images.size(0);
    addGradients(batch, index, samples == total ? 1 : static_cast<double>(samples) / static_cast<double>(total), seen);
  }
  try {
    if (options_.clipNorm > 0) {
      clipGradNorm(optimizer_.parameters(), options_.clipNorm);
    } else {
      checkGradsFinite(optimizer_.parameters(), "Trainer.step");
    }
  } catch (const NumericError& error) {
    throw NumericError("Trainer.step", "a gradient is not finite at " + place(end - 1), {{"because", error.headline()}},
                       "lower the learning rate, or find the first op with AnomalyMode");
  }
  return seen;
}

StepInfo Trainer::step() {
  if (endedEarly()) {
    throw StateError("Trainer.step", std::to_string(best_->badEpochs()) + " epochs in a row were no better", {},
                     "raise .best's patience to train on");
  }
  if (finished()) {
    throw StateError("Trainer.step", "all " + std::to_string(options_.epochs) + " epochs are done", {},
                     "raise .epochs to train on");
  }
  if (batch_ == batches_) closeEpoch();  // a run saved by a hook behind the last step of an epoch
  if (finished()) return {};
  savedIn_.clear();  // from here on something changes
  const data::Batch first = batchAt(batch_);
  const i64 end = std::min(batch_ + options_.accumulate, batches_);
  for (const auto& hook : beforeStep_) hook();
  net_.train();
  nn::ForwardState before(net_);
  const double factorBefore = optimizer_.lrFactor();
  Seen seen;
  try {
    seen = computeGradients(first, end);
    checkBuffersFinite(before.buffers(), place(end - 1));
    const double factor = options_.schedule.factor(optimizer_.steps());
    optimizer_.setLrFactor(plateau_ ? factor * plateau_->factor() : factor);
    if (ema_) ema_->prepare();
    if (plateau_) plateau_->prepare();
    optimizer_.step();
  } catch (...) {
    before.putBack();
    optimizer_.setLrFactor(factorBefore);
    if (end > batch_ + 1) closeLoader();  // it may stand behind the first batch of the step
    throw;
  }
  // From here on nothing fails.
  if (ema_) ema_->update();

  lossSum_ += seen.lossSum;
  seen_ += seen.samples;
  correct_ += seen.correct;
  const StepInfo info{.epoch = epoch_,
                      .batch = end - 1,
                      .batches = batches_,
                      .step = optimizer_.steps(),
                      .samples = seen.samples,
                      .loss = seen.loss,
                      .lr = optimizer_.baseLr() * optimizer_.lrFactor(),
                      .meanLoss = lossSum_ / static_cast<double>(seen_),
                      .accuracy = static_cast<double>(correct_) / static_cast<double>(seen_)};
  // The position moves before the hooks run: one that saves must save the state behind this step.
  batch_ = end;
  for (const auto& hook : afterStep_) hook(info);
  if (batch_ == batches_) closeEpoch();
  return info;
}

void Trainer::closeLoader() {
  cursor_.reset();  // before the loader that it walks
  loader_.reset();
}

void Trainer::closeEpoch() {
  closeLoader();
  const EpochInfo info{.epoch = epoch_,
                       .epochs = options_.epochs,
                       .meanLoss = lossSum_ / static_cast<double>(seen_),
                       .accuracy = static_cast<double>(correct_) / static_cast<double>(seen_)};
  // Before anything changes: a metric that cannot be had leaves the epoch open.
  const auto metric = [&](const auto& function) { return function ? function(info) : info.meanLoss; };
  const double rated = best_ ? metric(best_->options().metric) : 0;
  if (plateau_) plateau_->update(metric(options_.plateauMetric));
  if (best_) best_->update(epoch_, rated);
  savedIn_.clear();
  ++epoch_;
  batch_ = 0;
  lossSum_ = 0;
  seen_ = correct_ = 0;
  for (const auto& hook : afterEpoch_) hook(info);
}

bool Trainer::run() {
  bool stopped = false;
  while (!finished() && !stopped) {
    stopped = stop_.exchange(false, std::memory_order_relaxed);
    if (!stopped) step();
  }
  for (const auto& hook : afterRun_) hook(!stopped);
  return !stopped;
}

Evaluation Trainer::evaluate(const data::Dataset& dataset) {
  const EmaScope averaged(ema_.get());
  if (!options_.loss) return optim::evaluate(net_, dataset);
  return optim::evaluate(net_, dataset, 256,
                         [&](const Tensor& output, const Tensor& labels) { return batchLoss(output, labels); });
}

}  // namespace ember::optim
