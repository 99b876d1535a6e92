#include <ember/nn/data/Dataset.h>

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/nn/data/TensorDataset.h>

#include "support/Headline.h"

using namespace ember;
using test::messageOf;

namespace {

/// Sample i is [2, 2] filled with i, label i mod 3; some samples misbehave on request.
struct Numbers : data::Dataset {
  i64 count = 10, wideAt = -1, f64At = -1, throwsAt = -1;
  i64 size() const override { return count; }
  data::Sample get(i64 i) const override {
    if (i == throwsAt) throw std::runtime_error("disk on fire");
    if (i == wideAt) return {Tensor::full({2, 3}, static_cast<double>(i)), i % 3};
    if (i == f64At) return {Tensor::full({2, 2}, static_cast<double>(i), DType::F64), i % 3};
    return {Tensor::full({2, 2}, static_cast<double>(i)), i % 3};
  }
};

Numbers numbers(void (*change)(Numbers&)) {
  Numbers result;
  change(result);
  return result;
}

const std::vector<i64> someOf10{7, 0, 3, 7};

}  // namespace

TEST_CASE("a dataset of two functions makes batches with a new first axis, in the order asked for") {
  const Numbers set;
  const auto [images, labels] = set.batch(someOf10);
  CHECK(toString(images.shape()) == "[4, 2, 2]");
  CHECK(images.toVector<float>() == std::vector<float>{7, 7, 7, 7, 0, 0, 0, 0, 3, 3, 3, 3, 7, 7, 7, 7});
  CHECK(labels.dtype() == DType::I64);
  CHECK(labels.toVector<i64>() == std::vector<i64>{1, 0, 0, 1});
}

TEST_CASE("labels may be targets of any shape") {
  struct Squares : data::Dataset {
    i64 size() const override { return 4; }
    data::Sample get(i64 i) const override {
      const auto x = static_cast<double>(i);
      return {Tensor::of({x}), Tensor::of({x * x, -x})};
    }
  };
  const std::vector<i64> indices{2, 3};
  const data::Batch batch = Squares().batch(indices);
  CHECK(toString(batch.labels.shape()) == "[2, 2]");
  CHECK(batch.labels.toVector<float>() == std::vector<float>{4, -2, 9, -3});
}

TEST_CASE("a sample of another shape or type is refused with its number, its shape and the expected one (M13)") {
  CHECK(messageOf<ShapeError>([] {
          numbers([](Numbers& n) { n.wideAt = 3; }).batch(someOf10);
        }).starts_with("[Dataset.batch] ShapeError: the image of sample 3 has shape [2, 3], expected [2, 2]\n"));
  CHECK(messageOf<DtypeError>([] {
          numbers([](Numbers& n) { n.f64At = 3; }).batch(someOf10);
        }).starts_with("[Dataset.batch] DtypeError: the image of sample 3 is f64, expected f32\n"));
}

TEST_CASE("what get() throws keeps the sample's number, and the original is nested") {
  const Numbers set = numbers([](Numbers& n) { n.throwsAt = 0; });
  std::string nested;
  try {
    set.batch(someOf10);
    FAIL("nothing thrown");
  } catch (const IoError& error) {
    CHECK(error.headline() == "[Dataset.get] IoError: sample 0 failed: disk on fire");
    try {
      std::rethrow_if_nested(error);
    } catch (const std::runtime_error& original) {
      nested = original.what();
    }
  }
  CHECK(nested == "disk on fire");
}

TEST_CASE("empty batches and samples that are not there are refused (M12)") {
  const Numbers set;
  const std::vector<i64> none, beyond{3, 10}, negative{-1};
  CHECK_THROWS_AS(set.batch(none), ValueError);
  CHECK(messageOf<ValueError>([&] {
          set.batch(beyond);
        }).starts_with("[Dataset.batch] ValueError: sample 10 is not there: the dataset has 10\n"));
  CHECK_THROWS_AS(set.batch(negative), ValueError);
}

TEST_CASE("split deals every sample to at most one part, by the seed alone") {
  const auto parts = data::split(Numbers(), {6, 3}, 5);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].size() == 6);
  CHECK(parts[1].size() == 3);
  std::vector<i64> all = parts[0].indices();
  all.insert(all.end(), parts[1].indices().begin(), parts[1].indices().end());
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
  CHECK(all.front() >= 0);
  CHECK(all.back() < 10);

  ember::seed(99);  // the program's own seed has no say
  CHECK(data::split(Numbers(), {6, 3}, 5)[0].indices() == parts[0].indices());
  CHECK(data::split(Numbers(), {6, 3}, 6)[0].indices() != parts[0].indices());
  // The first part does not depend on how the rest is cut.
  CHECK(data::split(Numbers(), {6}, 5)[0].indices() == parts[0].indices());
}

TEST_CASE("a part gives the samples of the whole, one by one and in batches") {
  const auto parts = data::split(Numbers(), {6, 3}, 5);
  const std::vector<i64> indices{2, 0};
  const auto batch = parts[1].batch(indices);
  const std::vector<i64>& where = parts[1].indices();
  CHECK(batch.images.select(0, 0).toVector<i64>()[0] == where[2]);
  CHECK(batch.images.select(0, 1).toVector<i64>()[0] == where[0]);
  CHECK(parts[1].get(1).image.toVector<i64>()[3] == where[1]);
  CHECK_THROWS_AS(parts[1].get(3), ValueError);
}

TEST_CASE("split refuses more samples than there are, and negative parts") {
  CHECK(messageOf<ValueError>([] {
          data::split(Numbers(), {6, 5});
        }).starts_with("[split] ValueError: parts of [6, 5] samples are 11, the dataset has 10\n"));
  CHECK_THROWS_AS(data::split(Numbers(), {6, -1}), ValueError);
  CHECK_THROWS_AS(data::split(std::shared_ptr<const data::Dataset>(), {1}), ValueError);
}

TEST_CASE("bytes become f32 when a batch is made: (byte/255 - mean) / std for each channel") {
  const Tensor images = Tensor::of<u8>({0, 255, 51, 102, 1, 2, 3, 4}, {2, 2, 1, 2});
  const Tensor labels = Tensor::of<i64>({1, 0});
  const data::TensorDataset set(images, labels, {.mean = {0.5f, 0.25f}, .std = {0.5f, 2.0f}, .classNames = {"a", "b"}});
  CHECK(set.images().dtype() == DType::U8);
  CHECK(set.size() == 2);
  CHECK(set.classNames() == std::vector<std::string>{"a", "b"});

  const std::vector<i64> indices{1, 0};
  const auto batch = set.batch(indices);
  CHECK(toString(batch.images.shape()) == "[2, 2, 1, 2]");
  CHECK(batch.labels.toVector<i64>() == std::vector<i64>{0, 1});
  const std::vector<double> bytes{1, 2, 3, 4, 0, 255, 51, 102};
  const std::vector<float> got = batch.images.toVector<float>();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool second = i % 4 >= 2;
    const double expected = (bytes[i] / 255 - (second ? 0.25 : 0.5)) / (second ? 2.0 : 0.5);
    CHECK(got[i] == static_cast<float>(expected));
  }
  const data::Sample one = set.get(1);
  CHECK(toString(one.image.shape()) == "[2, 1, 2]");
  CHECK(one.image.toVector<float>() == std::vector<float>(got.begin(), got.begin() + 4));
  CHECK(one.label.item() == 0);
}

TEST_CASE("f32 images are delivered as they are, or normalised; other types as they are") {
  const Tensor images = Tensor::of<float>({1, 2, 3, 4}, {2, 2}), labels = Tensor::of<float>({0.5f, 0.25f});
  const std::vector<i64> indices{1};
  const data::TensorDataset plain(images, labels), halved(images, labels, {.std = {2.0f}});
  CHECK(plain.batch(indices).images.toVector<float>() == std::vector<float>{3, 4});
  CHECK(plain.batch(indices).labels.toVector<float>() == std::vector<float>{0.25f});
  CHECK(halved.batch(indices).images.toVector<float>() == std::vector<float>{1.5f, 2});
  const data::TensorDataset whole(images.to(DType::I64), labels);
  CHECK(whole.batch(indices).images.dtype() == DType::I64);
}

TEST_CASE("an f32 dataset over a view reads the view's elements") {
  const Tensor whole = Tensor::of<float>({0, 1, 2, 3, 4, 5}, {3, 2});
  const data::TensorDataset set(whole.slice(0, 1, 3), Tensor::of<i64>({0, 1}));
  const std::vector<i64> indices{0};
  CHECK(set.batch(indices).images.toVector<float>() == std::vector<float>{2, 3});
}

TEST_CASE("a tensor dataset that does not fit together is refused") {
  const Tensor images = Tensor::zeros({3, 2, 1, 1});
  CHECK(messageOf<ShapeError>([&] {
          data::TensorDataset(images, Tensor::of<i64>({0, 1}));
        }).starts_with("[TensorDataset] ShapeError: 3 of images, 2 of labels\n"));
  CHECK(messageOf<ValueError>([&] {
          data::TensorDataset(images, Tensor::of<i64>({0, 1, 2}), {.classNames = {"a", "b"}});
        }).starts_with("[TensorDataset] ValueError: label 2 is 2, there are 2 classes\n"));
  CHECK_THROWS_AS(data::TensorDataset(images, Tensor::of<i64>({0, -1, 1}), {.classNames = {"a", "b"}}), ValueError);
  const Tensor labels = Tensor::of<i64>({0, 1, 1});
  CHECK_THROWS_AS(data::TensorDataset(images, labels.to(DType::I32)), DtypeError);
  CHECK_THROWS_AS(data::TensorDataset(images, labels, {.mean = {0, 0, 0}}), ShapeError);
  CHECK_THROWS_AS(data::TensorDataset(images, labels, {.std = {0}}), ValueError);
  CHECK_THROWS_AS(data::TensorDataset(images.to(DType::F64), labels, {.mean = {0}}), DtypeError);
  CHECK_THROWS_AS(data::TensorDataset(Tensor::shapeOnly({3, 2}), labels), StateError);
}
