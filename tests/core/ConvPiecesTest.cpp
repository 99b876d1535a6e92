#include <ember/core/kernels/ConvPieces.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/Memory.h>
#include <ember/core/Random.h>
#include <ember/core/Scope.h>

using namespace ember;
using namespace ember::core;

namespace {

NDArray drawn(const Shape& shape, u64 stream) {
  std::vector<float> values;
  for (i64 i = 0; i < numel(shape); ++i)
    values.push_back(static_cast<float>(random::uniform({7, stream, 0}, static_cast<u64>(i)) - 0.5));
  return NDArray::from<float>(values, shape);
}

/// Share of the largest element of `expected` by which `found` is off at most.
double off(const NDArray& found, const NDArray& expected) {
  REQUIRE((found.shape() == expected.shape()));
  const NDArray a = found.contiguous(), b = expected.contiguous();
  double worst = 0, scale = 0;
  for (i64 i = 0; i < a.numel(); ++i) {
    const double x = a.data<float>()[i], y = b.data<float>()[i];
    worst = std::max(worst, std::abs(x - y));
    scale = std::max(scale, std::abs(y));
  }
  REQUIRE(scale > 0);
  return worst / scale;
}

struct Case {
  const char* name;
  Shape x, w;
  ConvGeometry geometry;
};
// All of w above 1 MB: 48 filters at a time, and 16; of the third 7, which no kernel likes; of the last 1.
const Case cases[] = {
    {"2-D, by Winograd", {2, 512, 8, 8}, {64, 512, 3, 3}, {.padBefore = {1, 1}, .padAfter = {1, 1}}},
    {"3-D", {1, 128, 4, 5, 4}, {80, 128, 3, 3, 3}, {.spatial = 3, .stride = {2, 1, 1}}},
    {"1-D, long filters", {3, 600, 70}, {20, 600, 61}, {.spatial = 1, .dilation = {1}}},
    {"2-D, a filter of more than 1 MB", {1, 8192, 6, 6}, {3, 8192, 6, 6}, {}},
    {"2-D, three groups, each in pieces", {2, 1536, 5, 5}, {192, 512, 3, 3}, {.groups = 3}},
    {"3-D, many groups, some at a time", {1, 600, 3, 3, 3}, {1200, 12, 3, 3, 3}, {.spatial = 3, .groups = 50}},
    {"1-D, a group for each channel", {2, 5000, 60}, {5000, 1, 55}, {.spatial = 1, .groups = 5000}},
};

}  // namespace

TEST_CASE("in a forward that keeps nothing, filters of more than 1 MB are packed in pieces, for the same result") {
  // Winograd's relative error is 1e-6, sums over thousands of terms in another order add as much.
  constexpr double allowed = 1e-5;
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const NDArray x = drawn(c.x, 1), w = drawn(c.w, 2), bias = drawn({c.w[0]}, 3);
    CHECK(filtersAtOnce(w, c.geometry) == c.w[0]);
    const NDArray plain = conv(x, w, {}, c.geometry), offset = conv(x, w, bias, c.geometry);
    const NDArray residual = drawn(plain.shape(), 4);
    const Epilogue all{.bias = bias, .act = {.kind = FusedAct::Kind::Relu}, .residual = residual};
    const NDArray fused = fusedConv(x, w, all, c.geometry), back = convBackwardData(plain, w, c.x, c.geometry);

    const Unwatched alone(7);
    CHECK(filtersAtOnce(w, c.geometry) < c.w[0]);
    if (c.geometry.groups > 1) CHECK(filtersAtOnce(w, c.geometry) % (c.w[0] / c.geometry.groups) == 0);
    CHECK(off(conv(x, w, {}, c.geometry), plain) < allowed);
    CHECK(off(conv(x, w, bias, c.geometry), offset) < allowed);
    CHECK(off(fusedConv(x, w, all, c.geometry), fused) < allowed);
    CHECK(off(convBackwardData(plain, w, c.x, c.geometry), back) < allowed);
  }
}

TEST_CASE("filters up to 1 MB are packed at once everywhere, more of them by sixteens or by groups") {
  CHECK(filtersAtOnce(NDArray::zeros({65, 512, 3, 4}), {}) == 65);
  const Unwatched alone(7);
  CHECK(filtersAtOnce(NDArray::zeros({64, 512, 2, 4}), {}) == 64);
  CHECK(filtersAtOnce(NDArray::zeros({65, 512, 2, 4}), {}) == 64);
  CHECK(filtersAtOnce(NDArray::zeros({80, 512, 2, 4}), {}) == 64);
  CHECK(filtersAtOnce(NDArray::zeros({80, 512, 2, 4}), {.groups = 5}) == 64);
  CHECK(filtersAtOnce(NDArray::zeros({80, 512, 3, 4}), {.groups = 5}) == 32);
  CHECK(filtersAtOnce(NDArray::zeros({80, 8192, 2, 4}), {.groups = 5}) == 16);
  CHECK(filtersAtOnce(NDArray::zeros({0, 512, 2, 4}), {}) == 0);
}

TEST_CASE("of work in pieces a budget counts the largest, and all that comes before and behind") {
  constexpr i64 kilobyte = 1024;
  const auto take = [](i64 bytes) { NDArray::empty({bytes}, DType::U8); };
  const memory::Budget limit(100 * kilobyte);
  take(16 * kilobyte);
  {
    memory::Pieces pieces;
    for (const i64 size : {8, 32, 16, 32, 32, 32, 1}) {
      take(size * kilobyte);
      pieces.next();
    }
  }
  take(48 * kilobyte);  // 16 + 32 + 48 of 100
  CHECK_THROWS_AS(take(8 * kilobyte), ValueError);
  memory::Pieces pieces;
  CHECK_THROWS_AS(take(8 * kilobyte), ValueError);
}
