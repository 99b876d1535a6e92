#include <ember/nn/data/Loader.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <utility>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/Threads.h>

namespace ember::data {

Loader::Loader(const Dataset& dataset, LoaderOptions options)
    : dataset_(&dataset),
      options_(std::move(options)),
      seed_(options_.seed.value_or(currentSeed())),
      samples_(dataset.size()) {
  const char* op = "Loader";
  const auto number = [](i64 value) { return std::to_string(value); };
  if (options_.batchSize < 1)
    throw ValueError(op, "batchSize is " + number(options_.batchSize), {}, "a batch has 1 or more samples");
  if (samples_ < 1) throw ValueError(op, "the dataset is empty");
  if (options_.epoch < 0 || options_.epoch >= i64{1} << 23) {
    throw ValueError(op, "epoch is " + number(options_.epoch), {}, "epochs count from 0, up to 2^23 - 1");
  }
  batches_ = samples_ / options_.batchSize + (!options_.dropLast && samples_ % options_.batchSize > 0 ? 1 : 0);
  if (batches_ == 0) {
    throw ValueError(
        op, "dropLast leaves no batch: " + number(samples_) + " samples, batches of " + number(options_.batchSize), {},
        "make batchSize " + number(samples_) + " or less");
  }
  if (options_.startBatch < 0 || options_.startBatch > batches_) {
    throw ValueError(
        op, "startBatch is " + number(options_.startBatch) + ", the epoch has " + number(batches_) + " batches");
  }
  if (options_.shuffle) {
    order_ = random::permutation({seed_, random::streamOf("shuffle"), static_cast<u64>(options_.epoch)}, samples_);
  }
}

i64 Loader::lastBatchSize() const noexcept {
  return std::min(samples_ - (batches_ - 1) * options_.batchSize, options_.batchSize);
}

std::vector<i64> Loader::indices(i64 k) const {
  if (k < 0 || k >= batches_) {
    throw ValueError("Loader",
                     "batch " + std::to_string(k) + " is not there: the epoch has " + std::to_string(batches_));
  }
  const i64 begin = k * options_.batchSize, end = std::min(begin + options_.batchSize, samples_);
  if (!order_.empty()) return {order_.begin() + begin, order_.begin() + end};
  std::vector<i64> straight(static_cast<std::size_t>(end - begin));
  std::iota(straight.begin(), straight.end(), begin);
  return straight;
}

Batch Loader::batch(i64 k) const {
  const std::vector<i64> samples = indices(k);
  const NoGrad guard;
  Batch batch = dataset_->batch(samples);
  if (options_.transforms.empty()) return batch;
  // Transforms write in place: only into memory that nobody else sees, never into the dataset's own.
  core::NDArray images = batch.images.array().contiguous();
  batch.images = {};
  if (images.storage().use_count() > 1 || images.storage()->external()) images = images.copy();
  options_.transforms.apply(images, samples, seed_, options_.epoch);
  batch.images = Tensor(std::move(images));
  return batch;
}

Loader::Iterator Loader::begin() const { return Iterator(*this, options_.startBatch); }

/// Makes batches ahead on its own thread and hands them out in order.
class Loader::Iterator::Prefetcher {
 public:
  Prefetcher(const Loader& loader, i64 first) : loader_(loader), next_(first), thread_([this] { run(); }) {}

  ~Prefetcher() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  /// The next batch in order; rethrows what making it threw.
  Batch take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return made_ > taken_; });
    Made made = std::exchange(ready_[taken_++ % ahead], {});
    lock.unlock();
    changed_.notify_all();
    if (made.error) std::rethrow_exception(made.error);
    return std::move(made.batch);
  }

 private:
  struct Made {
    Batch batch;
    std::exception_ptr error;
  };
  static constexpr std::size_t ahead = 2;

  void run() {
    core::makeThreadSerial();  // the pool belongs to the training step
    for (i64 k = next_; k < loader_.size(); ++k) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stop_ || made_ - taken_ < ahead; });
        if (stop_) return;
      }
      Made made;
      try {
        made.batch = loader_.batch(k);
      } catch (...) {
        made.error = std::current_exception();
      }
      const bool failed = made.error != nullptr;
      {
        const std::lock_guard lock(mutex_);
        ready_[made_++ % ahead] = std::move(made);
      }
      changed_.notify_all();
      if (failed) return;
    }
  }

  const Loader& loader_;
  const i64 next_;
  std::mutex mutex_;               // guards the four below
  std::array<Made, ahead> ready_;  // a ring: handing over takes no memory, so an exception, too, gets through
  std::size_t made_ = 0, taken_ = 0;
  bool stop_ = false;
  std::condition_variable changed_;
  std::thread thread_;  // last: it uses all of the above
};

Loader::Iterator::Iterator(const Loader& loader, i64 k) : loader_(&loader), k_(k) {
  // A single batch has nothing to be made ahead of.
  if (loader.options().prefetch && k + 1 < loader.size()) prefetcher_ = std::make_unique<Prefetcher>(loader, k);
  fetch();
}

Loader::Iterator::Iterator(Iterator&&) noexcept = default;
Loader::Iterator& Loader::Iterator::operator=(Iterator&&) noexcept = default;
Loader::Iterator::~Iterator() = default;

Loader::Iterator& Loader::Iterator::operator++() {
  ++k_;
  batch_ = {};  // before the next is asked for: its memory may serve again
  fetch();
  return *this;
}

void Loader::Iterator::fetch() {
  if (k_ >= loader_->size()) return;
  try {
    batch_ = prefetcher_ ? prefetcher_->take() : loader_->batch(k_);
  } catch (...) {
    k_ = loader_->size();
    prefetcher_.reset();
    throw;
  }
}

}  // namespace ember::data
