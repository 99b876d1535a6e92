#include <ember/nn/data/Transforms.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>

using namespace ember;
using data::Picture;

namespace {

constexpr i64 channels = 2, height = 5, width = 7;

/// Pixels 1, 2, 3, ...: every one different, none the fill value.
std::vector<float> ramp() {
  std::vector<float> pixels(static_cast<std::size_t>(channels * height * width));
  std::iota(pixels.begin(), pixels.end(), 1.0f);
  return pixels;
}

std::vector<float> changed(const data::Transform& transform, const random::Key& key,
                           std::vector<float> pixels = ramp()) {
  transform.apply({pixels.data(), channels, height, width}, key);
  return pixels;
}

float pixel(const std::vector<float>& pixels, i64 c, i64 y, i64 x) {
  return pixels[static_cast<std::size_t>((c * height + y) * width + x)];
}

/// The ramp moved by (dy, dx), by plain loops.
std::vector<float> shifted(i64 dy, i64 dx, float fill) {
  const std::vector<float> from = ramp();
  std::vector<float> to;
  for (i64 c = 0; c < channels; ++c) {
    for (i64 y = 0; y < height; ++y) {
      for (i64 x = 0; x < width; ++x) {
        const bool inside = y - dy >= 0 && y - dy < height && x - dx >= 0 && x - dx < width;
        to.push_back(inside ? pixel(from, c, y - dy, x - dx) : fill);
      }
    }
  }
  return to;
}

random::Key key(u64 call) { return {11, 22, call}; }

}  // namespace

TEST_CASE("normalize is (x - mean) / std for each channel") {
  const auto got = changed(data::Normalize({1.0f, 50.0f}, {2.0f, 4.0f}), key(0));
  for (i64 c = 0; c < channels; ++c) {
    for (i64 y = 0; y < height; ++y) {
      for (i64 x = 0; x < width; ++x) {
        const float raw = pixel(ramp(), c, y, x);
        // Exact: the values are small integers, the factors powers of two.
        REQUIRE(pixel(got, c, y, x) == (c == 0 ? (raw - 1) / 2 : (raw - 50) / 4));
      }
    }
  }
  CHECK(pixel(changed(data::Normalize({1.0f}, {2.0f}), key(0)), 1, 0, 0) == 17.5f);
}

TEST_CASE("crop is a shift by at most the padding; every shift occurs, each about equally often") {
  const i64 padding = 2;
  std::map<std::vector<float>, int> seen;
  const int draws = 5000;
  for (u64 call = 0; call < draws; ++call) ++seen[changed(data::RandomCrop(padding, -1), key(call))];
  CHECK(seen.size() == 25);
  for (i64 dy = -padding; dy <= padding; ++dy) {
    for (i64 dx = -padding; dx <= padding; ++dx) {
      const auto found = seen.find(shifted(dy, dx, -1));
      REQUIRE(found != seen.end());
      // Binomial with mean 200 and standard deviation 13.9: four of them.
      CHECK(std::abs(found->second - draws / 25) < 56);
    }
  }
}

TEST_CASE("a crop with more padding than the picture has pixels may leave nothing of it") {
  for (u64 call = 0; call < 500; ++call) {
    const auto got = changed(data::RandomCrop(20, -1), key(call));
    bool found = false;
    for (i64 dy = -20; dy <= 20 && !found; ++dy) {
      for (i64 dx = -20; dx <= 20 && !found; ++dx) found = got == shifted(dy, dx, -1);
    }
    REQUIRE(found);
  }
  CHECK(changed(data::RandomCrop(0), key(0)) == ramp());
}

TEST_CASE("flip mirrors left and right, as often as asked") {
  const auto mirrored = changed(data::RandomFlip(1), key(0));
  for (i64 c = 0; c < channels; ++c) {
    for (i64 y = 0; y < height; ++y) {
      for (i64 x = 0; x < width; ++x) REQUIRE(pixel(mirrored, c, y, x) == pixel(ramp(), c, y, width - 1 - x));
    }
  }
  CHECK(changed(data::RandomFlip(0), key(0)) == ramp());
  int flips = 0;
  for (u64 call = 0; call < 4000; ++call) {
    const auto got = changed(data::RandomFlip(0.25), key(call));
    REQUIRE((got == mirrored || got == ramp()));
    flips += got == mirrored;
  }
  CHECK(std::abs(flips - 1000) < 110);  // standard deviation 27.4: four of them
}

TEST_CASE("erase fills one rectangle in every channel, of the area and shape asked for") {
  // 40x40 pixels, so that rounding to whole pixels moves areas and ratios by little.
  const i64 side = 40;
  const data::RandomErase erase(
      {.p = 0.7, .minArea = 0.1, .maxArea = 0.2, .minAspect = 0.5, .maxAspect = 2, .fill = -3});
  int erased = 0;
  double areas = 0;
  std::vector<int> rows(side), columns(side);
  const int draws = 3000;
  for (u64 call = 0; call < draws; ++call) {
    std::vector<float> pixels(static_cast<std::size_t>(2 * side * side), 1.0f);
    erase.apply({pixels.data(), 2, side, side}, key(call));
    i64 top = side, left = side, bottom = -1, right = -1, count = 0;
    for (i64 y = 0; y < side; ++y) {
      for (i64 x = 0; x < side; ++x) {
        const auto k = static_cast<std::size_t>(y * side + x);
        REQUIRE(pixels[k] == pixels[k + static_cast<std::size_t>(side * side)]);
        if (pixels[k] == 1) continue;
        REQUIRE(pixels[k] == -3);
        top = std::min(top, y), bottom = std::max(bottom, y), left = std::min(left, x), right = std::max(right, x);
        ++count;
      }
    }
    if (count == 0) continue;
    ++erased;
    const i64 h = bottom - top + 1, w = right - left + 1;
    REQUIRE(count == h * w);  // one rectangle, without holes
    const double area = static_cast<double>(count) / static_cast<double>(side * side);
    areas += area;
    // Each side is rounded by at most half a pixel of 9 or more: 6 % on either number.
    REQUIRE(area > 0.1 * 0.89);
    REQUIRE(area < 0.2 * 1.11);
    const double aspect = static_cast<double>(h) / static_cast<double>(w);
    REQUIRE(aspect > 0.5 * 0.89);
    REQUIRE(aspect < 2 * 1.12);
    ++rows[static_cast<std::size_t>(top)], ++columns[static_cast<std::size_t>(left)];
  }
  CHECK(std::abs(erased - draws * 0.7) < 100);      // standard deviation 25: four of them
  CHECK(std::abs(areas / erased - 0.15) < 0.0035);  // 0.029 a draw over 2100: 0.0006, plus a little from rounding
  CHECK(rows[0] > 0);                               // it reaches the edges
  CHECK(columns[0] > 0);
  CHECK(std::accumulate(rows.begin() + 15, rows.end(), 0) > erased / 4);
}

TEST_CASE("an erase that never fits leaves the picture whole") {
  CHECK(changed(data::RandomErase({.p = 1, .minArea = 1, .maxArea = 1, .minAspect = 0.01, .maxAspect = 0.01}),
                key(3)) == ramp());
}

TEST_CASE("transforms are pure functions of their key") {
  const data::RandomCrop crop(2);
  const data::RandomErase erase({.p = 1});
  CHECK(changed(crop, key(1)) == changed(crop, key(1)));
  int differ = 0;
  for (u64 call = 0; call < 20; ++call) differ += changed(erase, key(call)) != changed(erase, key(call + 1));
  CHECK(differ > 15);
}

TEST_CASE(
    "a list applies its transforms in order, each with a stream of its own, to each picture by its sample number") {
  struct Remember : data::Transform {
    std::vector<random::Key>* keys;
    explicit Remember(std::vector<random::Key>* to) : keys(to) {}
    void apply(const Picture& picture, const random::Key& k) const override {
      keys->push_back(k);
      picture.data[0] = picture.data[0] * 10 + static_cast<float>(keys->size());
    }
  };
  std::vector<random::Key> keys;
  const data::Transforms list{Remember(&keys), Remember(&keys)};
  auto images = core::NDArray::zeros({2, 1, 1, 1});
  list.apply(images, {40, 7}, 5, 3);
  CHECK(images.toVector<float>() == std::vector<float>{12, 34});
  REQUIRE(keys.size() == 4);
  for (const auto& k : keys) CHECK(k.seed == 5);
  CHECK(keys[0].stream == random::streamOf("augment.0"));
  CHECK(keys[1].stream == random::streamOf("augment.1"));
  CHECK(keys[0].call == (u64{3} << 40) + 40);
  CHECK(keys[3].call == (u64{3} << 40) + 7);
}

TEST_CASE("a list refuses what it cannot change: other types, ranks and counts") {
  const data::Transforms list{data::RandomFlip()};
  auto bytes = core::NDArray::zeros({1, 1, 2, 2}, DType::U8), flat = core::NDArray::zeros({1, 4}),
       two = core::NDArray::zeros({2, 1, 2, 2});
  CHECK_THROWS_AS(list.apply(bytes, {0}, 0, 0), DtypeError);
  CHECK_THROWS_AS(list.apply(flat, {0}, 0, 0), ShapeError);
  CHECK_THROWS_AS(list.apply(two, {0}, 0, 0), ShapeError);
  CHECK_THROWS_AS(data::Transforms().add(std::shared_ptr<const data::Transform>()), ValueError);
}

TEST_CASE("options out of range are refused at construction") {
  CHECK_THROWS_AS(data::RandomCrop(-1), ValueError);
  CHECK_THROWS_AS(data::RandomFlip(1.5), ValueError);
  CHECK_THROWS_AS(data::RandomFlip(std::nan("")), ValueError);
  CHECK_THROWS_AS(data::RandomErase({.p = -0.1}), ValueError);
  CHECK_THROWS_AS(data::RandomErase({.minArea = 0}), ValueError);
  CHECK_THROWS_AS(data::RandomErase({.minArea = 0.5, .maxArea = 0.4}), ValueError);
  CHECK_THROWS_AS(data::RandomErase({.maxArea = 1.5}), ValueError);
  CHECK_THROWS_AS(data::RandomErase({.minAspect = 0}), ValueError);
  CHECK_THROWS_AS(data::Normalize({0}, {0}), ValueError);
  CHECK_THROWS_AS(data::Normalize({}, {1}), ShapeError);
  CHECK_THROWS_AS(data::Normalize({0, 0}, {1, 1, 1}), ShapeError);
  std::vector<float> pixels = ramp();
  CHECK_THROWS_AS(data::Normalize({0, 0, 0}, {1}).apply({pixels.data(), channels, height, width}, key(0)), ShapeError);
}

namespace {

/// As a user writes one, without a word on how it is saved.
struct Invert : data::Transform {
  void apply(const Picture& picture, const random::Key&) const override {
    for (i64 i = 0; i < picture.channels * picture.height * picture.width; ++i) picture.data[i] = -picture.data[i];
  }
};

}  // namespace

TEST_CASE("transforms describe themselves by class and numbers, in their order") {
  const data::Transforms list{data::RandomCrop(2, -1), data::RandomFlip(0.25), data::Normalize({0.5f}, {2}), Invert()};
  CHECK(
      list.description().dump() ==
      R"([{"type": "RandomCrop", "args": {"padding": 2, "fill": -1.0}}, {"type": "RandomFlip", "args": {"p": 0.25}}, )"
      R"({"type": "Normalize", "args": {"mean": [0.5], "std": [2.0]}}, {"type": "Invert", "args": {}}])");
  CHECK(data::RandomErase({.p = 0.5, .maxArea = 0.25}).description().dump() ==
        R"({"type": "RandomErase", "args": {"p": 0.5, "minArea": 0.02, "maxArea": 0.25, "minAspect": 0.3, )"
        R"("maxAspect": 3.3333333333333335, "fill": 0.0}})");
  CHECK(data::Transforms().description().dump() == "[]");
}
