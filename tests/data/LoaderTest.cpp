#include <ember/nn/data/Loader.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/nn/data/TensorDataset.h>

#include "support/Headline.h"

using namespace ember;
using test::headlineOf;

namespace {

/// Picture i of 6x6 has pixel k = 36·i + k, label i.
data::TensorDataset pictures(i64 count) {
  std::vector<float> pixels;
  std::vector<i64> labels;
  for (i64 i = 0; i < count; ++i) {
    labels.push_back(i);
    for (i64 k = 0; k < 36; ++k) pixels.push_back(static_cast<float>(36 * i + k));
  }
  return {Tensor::of<float>(pixels, {count, 1, 6, 6}), Tensor::of<i64>(labels)};
}

struct Epoch {
  std::vector<i64> labels;
  std::vector<float> pixels;
  std::vector<i64> batchSizes;
  bool operator==(const Epoch&) const = default;
};

Epoch walk(const data::Dataset& set, const data::LoaderOptions& options) {
  Epoch epoch;
  for (auto [images, labels] : data::Loader(set, options)) {
    const auto pixels = images.toVector<float>();
    const auto numbers = labels.toVector<i64>();
    epoch.pixels.insert(epoch.pixels.end(), pixels.begin(), pixels.end());
    epoch.labels.insert(epoch.labels.end(), numbers.begin(), numbers.end());
    epoch.batchSizes.push_back(images.size(0));
  }
  return epoch;
}

const data::Transforms augmentation{data::RandomCrop(2), data::RandomFlip(), data::RandomErase({.p = 0.8})};

}  // namespace

TEST_CASE("without shuffle the samples come in order, the last batch with what is left") {
  const auto set = pictures(10);
  const Epoch epoch = walk(set, {.batchSize = 4});
  CHECK(epoch.labels == std::vector<i64>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(epoch.batchSizes == std::vector<i64>{4, 4, 2});
  for (std::size_t k = 0; k < epoch.pixels.size(); ++k) REQUIRE(epoch.pixels[k] == static_cast<float>(k));
  CHECK(data::Loader(set, {.batchSize = 4}).size() == 3);
  CHECK(data::Loader(set, {.batchSize = 4}).lastBatchSize() == 2);
  CHECK(data::Loader(set, {.batchSize = 5}).lastBatchSize() == 5);
}

TEST_CASE("dropLast leaves a smaller last batch away, and only a smaller one") {
  const auto set = pictures(10);
  CHECK(walk(set, {.batchSize = 4, .dropLast = true}).batchSizes == std::vector<i64>{4, 4});
  CHECK(walk(set, {.batchSize = 5, .dropLast = true}).batchSizes == std::vector<i64>{5, 5});
  CHECK(data::Loader(set, {.batchSize = 4, .dropLast = true}).lastBatchSize() == 4);
}

TEST_CASE("a batch larger than the dataset holds all of it") {
  const auto set = pictures(3);
  CHECK(walk(set, {.batchSize = 100}).batchSizes == std::vector<i64>{3});
  CHECK(data::Loader(set, {.batchSize = 100}).lastBatchSize() == 3);
}

TEST_CASE("the shuffled order is a function of seed and epoch, and holds every sample once") {
  const auto set = pictures(50);
  const auto order = [&](u64 seed, i64 epoch) {
    return walk(set, {.batchSize = 7, .shuffle = true, .seed = seed, .epoch = epoch}).labels;
  };
  const std::vector<i64> first = order(1, 0);
  CHECK(first == order(1, 0));
  CHECK(first != order(1, 1));
  CHECK(first != order(2, 0));
  std::vector<i64> sorted = first;
  std::sort(sorted.begin(), sorted.end());
  for (i64 i = 0; i < 50; ++i) REQUIRE(sorted[static_cast<std::size_t>(i)] == i);
  CHECK(sorted != first);
}

TEST_CASE("without a seed of its own the loader takes the program's") {
  const auto set = pictures(50);
  ember::seed(7);
  const auto order = walk(set, {.shuffle = true}).labels;
  CHECK(order == walk(set, {.shuffle = true, .seed = 7}).labels);
  ember::seed(8);
  CHECK(order != walk(set, {.shuffle = true}).labels);
}

TEST_CASE("prefetch changes nothing: with shuffle and transforms every bit is the same") {
  const auto set = pictures(50);
  data::LoaderOptions options{.batchSize = 8, .shuffle = true, .seed = 3, .epoch = 2, .transforms = augmentation};
  const Epoch ahead = walk(set, options);
  options.prefetch = false;
  CHECK(ahead == walk(set, options));
}

TEST_CASE("starting at batch k gives what a whole epoch gives from there, transforms included") {
  const auto set = pictures(50);
  data::LoaderOptions options{.batchSize = 8, .shuffle = true, .seed = 3, .epoch = 2, .transforms = augmentation};
  const Epoch whole = walk(set, options);
  for (const i64 k : {1, 4, 6}) {
    options.startBatch = k;
    const Epoch rest = walk(set, options);
    CHECK(rest.labels == std::vector<i64>(whole.labels.begin() + 8 * k, whole.labels.end()));
    CHECK(rest.pixels == std::vector<float>(whole.pixels.begin() + 8 * 36 * k, whole.pixels.end()));
  }
  options.startBatch = 7;
  CHECK(walk(set, options).labels.empty());
}

TEST_CASE("a sample's transforms depend on seed, epoch and sample, not on its batch") {
  const auto set = pictures(12);
  const auto pixels = [&](i64 batchSize, i64 epoch, u64 seed) {
    return walk(set, {.batchSize = batchSize, .seed = seed, .epoch = epoch, .transforms = augmentation}).pixels;
  };
  CHECK(pixels(12, 0, 1) == pixels(5, 0, 1));
  CHECK(pixels(12, 0, 1) != pixels(12, 1, 1));
  CHECK(pixels(12, 0, 1) != pixels(12, 0, 2));
}

TEST_CASE("the same batch comes out for any number of threads") {
  const auto set = pictures(600);
  const data::Loader loader(set, {.batchSize = 600, .shuffle = true, .seed = 3, .transforms = augmentation});
  const int before = threads();
  setThreads(1);
  const auto one = loader.batch(0).images.toVector<float>();
  setThreads(2);
  CHECK(one == loader.batch(0).images.toVector<float>());
  setThreads(before);
}

TEST_CASE("batch k alone is the k-th of the loop, and a loader may be walked again") {
  const auto set = pictures(20);
  const data::Loader loader(set, {.batchSize = 6, .shuffle = true, .seed = 1, .transforms = augmentation});
  for (int round = 0; round < 2; ++round) {
    i64 k = 0;
    for (const auto& [images, labels] : loader) {
      CHECK(images.toVector<float>() == loader.batch(k).images.toVector<float>());
      CHECK(labels.toVector<i64>() == loader.indices(k));
      ++k;
    }
    CHECK(k == 4);
  }
  CHECK_THROWS_AS(loader.batch(4), ValueError);
  CHECK_THROWS_AS(loader.batch(-1), ValueError);
}

TEST_CASE("transforms never write into the dataset's own memory") {
  struct Shared : data::Dataset {
    Tensor all = Tensor::ones({4, 1, 3, 3});
    i64 size() const override { return 4; }
    data::Sample get(i64 i) const override { return {all.select(0, i), i}; }
    data::Batch batch(std::span<const i64>) const override { return {all, Tensor::of<i64>({0, 1, 2, 3})}; }
  };
  const Shared set;
  for (auto [images, labels] : data::Loader(set, {.batchSize = 4, .transforms = {data::RandomErase({.p = 1})}})) {
    CHECK(images.toVector<float>() != set.all.toVector<float>());
  }
  CHECK(set.all.toVector<float>() == std::vector<float>(36, 1.0f));

  float mine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  struct Wrapped : data::Dataset {
    float* memory = nullptr;
    i64 size() const override { return 1; }
    data::Sample get(i64) const override { return {Tensor::fromBlob(memory, {1, 3, 3}), 0}; }
    data::Batch batch(std::span<const i64>) const override {
      return {Tensor::fromBlob(memory, {1, 1, 3, 3}), Tensor::of<i64>({0})};
    }
  };
  Wrapped wrapped;
  wrapped.memory = mine;
  const auto erased = data::Loader(wrapped, {.transforms = {data::RandomErase({.p = 1})}}).batch(0);
  CHECK(erased.images.toVector<float>() != std::vector<float>(9, 1.0f));
  CHECK(std::all_of(mine, mine + 9, [](float x) { return x == 1; }));
}

TEST_CASE("a loop that ends early stops the thread, at once and without a hang") {
  struct Counted : data::Dataset {
    mutable std::atomic<i64> asked{0};
    i64 size() const override { return 100000; }
    data::Sample get(i64 i) const override {
      ++asked;
      return {Tensor::scalar(0), i};
    }
  };
  const Counted set;
  for (int round = 0; round < 50; ++round) {
    int seen = 0;
    for (const data::Batch& batch : data::Loader(set, {.batchSize = 1})) {
      REQUIRE(batch.images.defined());
      if (++seen > round % 4) break;
    }
  }
  // Of each round's 100000 samples only those seen (4 at most), two ready, one in the making and one waited for.
  CHECK(set.asked <= 50 * 8);
  const i64 asked = set.asked;
  CHECK(data::Loader(set, {.batchSize = 1}).size() == 100000);
  CHECK(set.asked == asked);  // no loop, no work
}

TEST_CASE("an exception that leaves the loop's body stops the thread, too") {
  const auto set = pictures(50);
  CHECK_THROWS_AS(
      [&] {
        for ([[maybe_unused]] const data::Batch& batch : data::Loader(set, {.batchSize = 2}))
          throw std::runtime_error("user");
      }(),
      std::runtime_error);
}

TEST_CASE("what the dataset throws on the loader's thread comes out at the batch that it concerns (M14)") {
  struct Broken : data::Dataset {
    i64 size() const override { return 20; }
    data::Sample get(i64 i) const override {
      if (i == 13) throw IoError("decode", "not a picture");
      return {Tensor::scalar(static_cast<double>(i)), i};
    }
  };
  const Broken set;
  for (const bool prefetch : {true, false}) {
    i64 seen = 0;
    const std::string headline = headlineOf<IoError>([&] {
      for (const auto& [images, labels] : data::Loader(set, {.batchSize = 4, .prefetch = prefetch}))
        seen += labels.size(0);
    });
    CHECK(headline == "[Dataset.get] IoError: sample 13 failed: [decode] IoError: not a picture");
    CHECK(seen == 12);  // the three batches before came through
  }
}

TEST_CASE("the thread does not open parallel regions, and the consumer keeps the pool") {
  struct Asks : data::Dataset {
    mutable std::atomic<int> most{0};
    i64 size() const override { return 6; }
    data::Sample get(i64 i) const override {
      const core::ComputeScope scope;
      most = std::max(most.load(), core::ComputeScope::threads());
      return {Tensor::scalar(0), i};
    }
  };
  const int before = threads();
  setThreads(2);
  const Asks set;
  for ([[maybe_unused]] const data::Batch& batch : data::Loader(set, {.batchSize = 2})) {
    const core::ComputeScope scope;
    CHECK(core::ComputeScope::threads() == 2);
  }
  CHECK(set.most == 1);
  setThreads(before);
}

TEST_CASE("a batch size above the data gives one batch of all of it (M12)") {
  const auto set = pictures(3);
  const data::Loader loader(set, {.batchSize = 64});
  CHECK(loader.size() == 1);
  CHECK(loader.lastBatchSize() == 3);
  for (const data::Batch& batch : loader) CHECK(batch.images.size(0) == 3);
}

TEST_CASE("options out of range are refused with the numbers (M12)") {
  const auto set = pictures(3);
  const auto headline = [&](const data::LoaderOptions& options) {
    return headlineOf<ValueError>([&] { data::Loader(set, options); });
  };
  CHECK(headline({.batchSize = 0}) == "[Loader] ValueError: batchSize is 0");
  CHECK(headline({.batchSize = -4}) == "[Loader] ValueError: batchSize is -4");
  CHECK(headline({.epoch = -1}) == "[Loader] ValueError: epoch is -1");
  CHECK(headline({.batchSize = 4, .dropLast = true}) ==
        "[Loader] ValueError: dropLast leaves no batch: 3 samples, batches of 4");
  CHECK(headline({.batchSize = 2, .startBatch = 3}) == "[Loader] ValueError: startBatch is 3, the epoch has 2 batches");
  CHECK(headlineOf<ValueError>([] {
          const data::TensorDataset none(Tensor::zeros({0, 1, 2, 2}), Tensor::zeros({0}, DType::I64));
          data::Loader loader(none);
        }) == "[Loader] ValueError: the dataset is empty");
}

TEST_CASE("a dataset that would die before the loop does not compile") {
  CHECK(std::is_constructible_v<data::Loader, const data::TensorDataset&, data::LoaderOptions>);
  CHECK_FALSE(std::is_constructible_v<data::Loader, data::TensorDataset, data::LoaderOptions>);
}
