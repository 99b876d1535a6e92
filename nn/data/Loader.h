#pragma once
#include <iterator>
#include <memory>
#include <optional>

#include <ember/nn/data/Dataset.h>
#include <ember/nn/data/Transforms.h>

namespace ember::data {

struct LoaderOptions {
  i64 batchSize = 32;
  bool shuffle = false;
  std::optional<u64> seed = {};  ///< empty: ember::currentSeed()
  i64 epoch = 0;                 ///< with the seed it decides the order and the transforms
  bool dropLast = false;         ///< leave a last batch of fewer samples away
  bool prefetch = true;          ///< make batches ahead, on a thread of the loader's own
  i64 startBatch = 0;            ///< loops begin here: resume within an epoch
  Transforms transforms = {};
};

/// The batches of one epoch, for one or more loops:
///
///   for (auto [images, labels] : data::Loader(train, {.batchSize = 128, .shuffle = true, .epoch = epoch})) ...
///
/// Batch k is a pure function of (dataset, options, k); nothing is drawn from a state, so starting at batch k gives
/// what a whole loop gives from there. With prefetch, a thread keeps up to two batches ready while the loop computes;
/// it ends with the loop, however that ends. What the dataset throws comes out of the loop at the batch that it
/// concerns, with the sample's number. The dataset must outlive the loader and its loops. Throws ValueError for a batch
/// size below 1, an empty dataset, an epoch outside [0, 2^23), a startBatch outside [0, size()], and if dropLast leaves
/// nothing.
class Loader {
 public:
  class Iterator;

  explicit Loader(const Dataset& dataset, LoaderOptions options = {});
  Loader(const Dataset&& dataset, LoaderOptions options = {}) = delete;  ///< a temporary would die before the loop

  /// Batches of an epoch, whatever startBatch.
  i64 size() const noexcept { return batches_; }
  /// Samples of the last batch; with 1, batch norm in training has nothing to normalise by.
  i64 lastBatchSize() const noexcept;
  /// Dataset positions of batch k, in order. ValueError outside [0, size()).
  std::vector<i64> indices(i64 k) const;
  /// Batch k, made now on this thread.
  Batch batch(i64 k) const;
  const LoaderOptions& options() const noexcept { return options_; }

  Iterator begin() const;
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  const Dataset* dataset_;
  LoaderOptions options_;
  u64 seed_;
  i64 samples_, batches_;
  std::vector<i64> order_;  // empty: 0, 1, 2, ...
};

/// Walks the batches from startBatch on, each once. Moves, does not copy; must not outlive the loader.
class Loader::Iterator {
 public:
  using iterator_concept = std::input_iterator_tag;
  using difference_type = std::ptrdiff_t;
  using value_type = Batch;

  Iterator(const Loader& loader, i64 k);
  Iterator(Iterator&&) noexcept;
  Iterator& operator=(Iterator&&) noexcept;
  ~Iterator();

  const Batch& operator*() const noexcept { return batch_; }
  const Batch* operator->() const noexcept { return &batch_; }
  /// Throws what making the next batch threw; the loop is then over.
  Iterator& operator++();
  void operator++(int) { ++*this; }
  friend bool operator==(const Iterator& it, std::default_sentinel_t) noexcept { return it.k_ >= it.loader_->size(); }
  /// Number of the present batch in the epoch.
  i64 index() const noexcept { return k_; }

 private:
  class Prefetcher;
  void fetch();

  const Loader* loader_;
  i64 k_;
  Batch batch_;
  std::unique_ptr<Prefetcher> prefetcher_;
};

}  // namespace ember::data
