// What convolutions and pools must satisfy whatever the numbers: adjoints, linearity, shifts, identities, over shapes
// and options that a seed chooses.
#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Random.h>

#include "support/Draw.h"
#include "support/Golden.h"

using namespace ember;
using namespace ember::test;

namespace {

/// Numbers that depend on the test's name and the case alone.
class Chooser {
 public:
  explicit Chooser(u64 stream) : stream_(stream) {}
  /// In [low, high].
  i64 operator()(i64 low, i64 high) {
    return low + static_cast<i64>(random::below({2026, stream_, 0}, count_++, static_cast<u64>(high - low + 1)));
  }
  bool flip() { return (*this)(0, 1) == 1; }

 private:
  u64 stream_, count_ = 0;
};

/// The same numbers lying otherwise in memory: row-major, channels last, or strided.
Tensor lying(const Tensor& t, i64 how) {
  if (how == 0) return t;
  return how == 1 ? Tensor(t.array().contiguous(MemoryOrder::ChannelsLast)) : strided(t);
}

double dot(const Tensor& a, const Tensor& b) { return sum(a * b).item(); }

/// A convolution that exists: batch 0 to 3, odd sizes and single pixels, every option.
struct Problem {
  int spatial;
  Shape x, w;
  ConvOptions options;
  std::string text;
};
Problem problem(u64 seed) {
  Chooser choose(seed);
  Problem p;
  p.spatial = static_cast<int>(choose(1, 3));
  const i64 groups = choose(1, 3), c = groups * choose(1, 2), k = groups * choose(1, 3);
  p.x = {choose(0, 3), c};
  p.w = {k, c / groups};
  std::vector<i64> stride, dilation, before, after;
  for (int i = 0; i < p.spatial; ++i) {
    const i64 kernel = choose(1, 3);
    stride.push_back(choose(1, 3));
    dilation.push_back(choose(1, 3));
    before.push_back(choose(0, 3));
    after.push_back(choose(0, 3));
    const i64 least = std::max<i64>(1, (kernel - 1) * dilation.back() + 1 - before.back() - after.back());
    p.x.push(choose(least, least + 4));
    p.w.push(kernel);
  }
  p.options = {.stride = stride, .padding = Padding::sides(before, after), .dilation = dilation, .groups = groups};
  p.text = toString(p.x) + " * " + toString(p.w) + ", stride " + toString(stride) + ", dilation " + toString(dilation) +
           ", padding " + toString(before) + " and " + toString(after) + ", groups " + std::to_string(groups);
  return p;
}

constexpr u64 cases = 60;

}  // namespace

TEST_CASE("<conv(x, w), y> = <x, convTranspose(y, w)> for every geometry, memory order and algorithm") {
  for (u64 seed = 0; seed < cases; ++seed) {
    const Problem p = problem(seed);
    CAPTURE(p.text);
    Chooser choose(seed + 1000);
    const Tensor x = lying(draw("x" + p.text, p.x), choose(0, 2)), w = lying(draw("w" + p.text, p.w), choose(0, 2));
    const Tensor y = convND(p.spatial, x, w, {}, p.options);
    const Tensor dy = lying(draw("dy" + p.text, y.shape()), choose(0, 2));
    // What the last stride leaves over is the output padding.
    std::vector<i64> left;
    for (int i = 0; i < p.spatial; ++i) {
      const auto at = [&](const Sizes& sizes) { return sizes.at(i, p.spatial, "test", "size"); };
      left.push_back((p.x[2 + i] + at(p.options.padding.before()) + at(p.options.padding.after()) -
                      at(p.options.dilation) * (p.w[2 + i] - 1) - 1) %
                     at(p.options.stride));
    }
    const Tensor back = convTransposeND(p.spatial, dy, w, {},
                                        {.stride = p.options.stride,
                                         .padding = p.options.padding,
                                         .outputPadding = left,
                                         .dilation = p.options.dilation,
                                         .groups = p.options.groups});
    REQUIRE(toString(back.shape()) == toString(p.x));
    // Sums of some thousand products of size 4 in f64.
    CHECK(dot(x, back) == doctest::Approx(dot(y, dy)).epsilon(1e-11));
    const auto narrow = [](const Tensor& t) { return t.to(DType::F32); };
    const Tensor fast = convND(p.spatial, narrow(x), narrow(w), {}, p.options);
    CHECK_CLOSE(fast, y, toleranceF32, "f32");
  }
}

TEST_CASE("a convolution is linear in both operands") {
  for (u64 seed = 100; seed < 100 + cases / 2; ++seed) {
    const Problem p = problem(seed);
    CAPTURE(p.text);
    const auto conv = [&](const Tensor& x, const Tensor& w) { return convND(p.spatial, x, w, {}, p.options); };
    const Tensor x = draw("x" + p.text, p.x), other = draw("other" + p.text, p.x), w = draw("w" + p.text, p.w);
    CHECK_CLOSE(conv(x * 2.0 - other, w), conv(x, w) * 2.0 - conv(other, w), toleranceF64, "in x");
    CHECK_CLOSE(conv(x, w * -3.0), conv(x, w) * -3.0, toleranceF64, "in w");
  }
}

TEST_CASE("a convolution with a kernel of one 1 is a shift, and shifts of the input shift the result") {
  for (i64 place = 0; place < 3; ++place) {
    const Tensor x = draw("x", {2, 3, 6, 5});
    std::vector<double> delta(9);
    delta[static_cast<std::size_t>(place * 3 + 2 - place)] = 1;
    const Tensor w = expand(Tensor::of<double>(delta, {1, 1, 3, 3}), {3, 1, 3, 3});
    const Tensor y = conv2d(x, w, {}, {.padding = 1, .groups = 3});
    // y[h, w] = x[h + place - 1, w + 1 - place], zeros from outside.
    const Tensor around = pad(x, {0, 0, 1, 1}, {0, 0, 1, 1});
    CHECK(sameBits(y, slice(slice(around, 2, place, place + 6), 3, 2 - place, 7 - place)));
  }
  const Tensor x = draw("x", {1, 2, 9, 8}), w = draw("w", {3, 2, 3, 2});
  const Tensor whole = conv2d(x, w), moved = conv2d(slice(slice(x, 2, 2, 9), 3, 1, 8), w);
  CHECK_CLOSE(moved, slice(slice(whole, 2, 2, 7), 3, 1, 7), toleranceF64, "shifted");
  // With circular padding by any shift, around the edge too.
  const ConvOptions circular{.padding = Padding::sides({1, 0}, {1, 1}), .paddingMode = PadMode::Circular};
  const auto rolled = [](const Tensor& t, i64 by) {
    return concat({slice(t, 2, by, t.size(2)), slice(t, 2, 0, by)}, 2);
  };
  CHECK_CLOSE(conv2d(rolled(x, 4), w, {}, circular), rolled(conv2d(x, w, {}, circular), 4), toleranceF64, "around");
}

TEST_CASE("a mean of windows is a depthwise convolution of constant filters") {
  for (u64 seed = 200; seed < 200 + cases / 3; ++seed) {
    Chooser choose(seed);
    const i64 c = choose(1, 4), kh = choose(1, 3), kw = choose(1, 4), sh = choose(1, 3), sw = choose(1, 2);
    const i64 ph = choose(0, kh / 2), pw = choose(0, kw / 2);
    const Tensor x = lying(draw("x", {choose(0, 2), c, choose(3, 8), choose(4, 7)}), choose(0, 2));
    CAPTURE(toString(x.shape()));
    const Tensor mean = avgPool2d(x, {.kernel = {kh, kw}, .stride = {sh, sw}, .padding = {ph, pw}});
    const Tensor w = Tensor::full({c, 1, kh, kw}, 1 / static_cast<double>(kh * kw), DType::F64);
    CHECK_CLOSE(mean, conv2d(x, w, {}, {.stride = {sh, sw}, .padding = {ph, pw}, .groups = c}), toleranceF64, "mean");
    const Tensor sums = lpPool2d(x, 1, {.kernel = {kh, kw}, .stride = {sh, sw}, .padding = {ph, pw}});
    CHECK_CLOSE(
        sums,
        conv2d(abs(x), w * static_cast<double>(kh * kw), {}, {.stride = {sh, sw}, .padding = {ph, pw}, .groups = c}),
        toleranceF64, "sum");
  }
}

TEST_CASE("a maximum is at least the mean, grows with its input, and holes are a maximum of a part") {
  for (u64 seed = 300; seed < 300 + cases / 3; ++seed) {
    Chooser choose(seed);
    const i64 kernel = choose(1, 3), stride = choose(1, 3);
    const Tensor x = lying(draw("x", {choose(0, 2), choose(1, 20), choose(3, 9), choose(3, 8)}), choose(0, 2));
    CAPTURE(toString(x.shape()));
    const PoolOptions options{.kernel = kernel, .stride = stride, .ceilMode = choose.flip()};
    const Tensor y = maxPool2d(x, options), mean = avgPool2d(x, options);
    const auto least = [](const Tensor& t) { return t.numel() == 0 ? 0 : amin(t).item(); };
    CHECK(least(y - mean) >= -1e-12);
    CHECK_CLOSE(maxPool2d(x * 2.0 + 1.0, options), y * 2.0 + 1.0, toleranceF64, "scaled");
    if (kernel == 1) continue;
    // Every second row and column.
    const i64 rows = x.size(2), columns = x.size(3);
    if (rows < 2 * kernel - 1 || columns < 2 * kernel - 1) continue;
    const Tensor part = slice(slice(x, 2, 0, rows, 2), 3, 0, columns, 2);
    const Tensor holes = maxPool2d(x, {.kernel = kernel, .stride = 1, .dilation = 2});
    CHECK(sameBits(contiguous(maxPool2d(part, {.kernel = kernel, .stride = 1})),
                   contiguous(slice(slice(holes, 2, 0, holes.size(2), 2), 3, 0, holes.size(3), 2))));
  }
}

TEST_CASE("unpooling puts every maximum back to where it stood, and pooling it again finds it") {
  for (u64 seed = 400; seed < 400 + cases / 3; ++seed) {
    Chooser choose(seed);
    const int spatial = static_cast<int>(choose(1, 3));
    Shape shape{choose(0, 2), choose(1, 3)};
    std::vector<i64> sizes;
    for (int i = 0; i < spatial; ++i) {
      sizes.push_back(choose(2, 7));
      shape.push(sizes.back());
    }
    CAPTURE(toString(shape));
    const PoolOptions options{.kernel = 2, .ceilMode = choose.flip()};
    const Tensor x = lying(distinct("x", shape) + 100.0, choose(0, 2));  // above the zeros around
    const PoolWithIndices pooled = maxPoolNDWithIndices(spatial, x, options);
    const Tensor back = maxUnpoolND(spatial, pooled.y, pooled.indices, sizes);
    CHECK(sameBits(contiguous(maxPoolND(spatial, back, options)), contiguous(pooled.y)));
    CHECK_CLOSE(back * x, square(back), toleranceF64, "either 0 or x");
    CHECK(sum(back).item() == doctest::Approx(sum(pooled.y).item()).epsilon(1e-12));
  }
}

TEST_CASE("pools into bins: one bin is the global pool, as many as elements change nothing, equal bins are windows") {
  const Tensor x = draw("x", {2, 3, 6, 5});
  CHECK_CLOSE(adaptiveAvgPool2d(x, 1), globalAvgPool(x, true), toleranceF64, "mean");
  CHECK(sameBits(contiguous(adaptiveMaxPool2d(x, 1)), contiguous(globalMaxPool(x, true))));
  CHECK(adaptiveAvgPool2d(x, -1).toVector<double>() == x.toVector<double>());
  CHECK(adaptiveMaxPool2d(x, {6, 5}).toVector<double>() == x.toVector<double>());
  CHECK_CLOSE(adaptiveAvgPool2d(x, {3, 5}), avgPool2d(x, {.kernel = {2, 1}}), toleranceF64, "windows");
  // Bins that overlap, against their definition.
  const Tensor y = adaptiveMaxPool2d(x, {4, 3}), mean = adaptiveAvgPool2d(x, {4, 3});
  for (i64 i = 0; i < 4; ++i) {
    for (i64 j = 0; j < 3; ++j) {
      const Tensor bin = slice(slice(x, 2, i * 6 / 4, ((i + 1) * 6 + 3) / 4), 3, j * 5 / 3, ((j + 1) * 5 + 2) / 3);
      CHECK_CLOSE(globalMaxPool(bin), select(select(y, 2, i), 2, j), toleranceF64, "maximum");
      CHECK_CLOSE(globalAvgPool(bin), select(select(mean, 2, i), 2, j), toleranceF64, "mean");
    }
  }
}

TEST_CASE("interpolation keeps constants, and linear interpolation keeps what is linear") {
  for (const Interpolation mode :
       {Interpolation::Nearest, Interpolation::NearestExact, Interpolation::Linear, Interpolation::Cubic}) {
    const Tensor ones = Tensor::full({1, 2, 3, 4}, 2.5, DType::F64);
    for (const double scale : {0.4, 0.9, 1.3, 2.0, 3.7}) {
      const Tensor y = interpolate(ones, {.scale = {scale}, .mode = mode});
      CHECK_CLOSE(y, Tensor::full(y.shape(), 2.5, DType::F64), toleranceF64, "constant");
    }
  }
  const Tensor ramp = Tensor::of<double>({0, 1, 2, 3, 4}, {1, 1, 5});
  for (const Interpolation mode : {Interpolation::Linear, Interpolation::Cubic}) {
    const Tensor y = interpolate(ramp, {.size = 9, .mode = mode, .alignCorners = true});
    for (i64 p = 2; p < 7; ++p)  // cubic needs two inputs on both sides
      CHECK(y.toVector<double>()[static_cast<std::size_t>(p)] == doctest::Approx(static_cast<double>(p) / 2));
  }
  const Tensor x = draw("x", {2, 9, 2, 3});
  CHECK(sameBits(contiguous(pixelUnshuffle(pixelShuffle(x, 3), 3)), contiguous(x)));
  CHECK(sameBits(
      contiguous(interpolate(x, {.scale = {2}})),
      contiguous(pixelShuffle(contiguous(reshape(expand(unsqueeze(x, 2), {2, 9, 4, 2, 3}), {2, 36, 2, 3})), 2))));
}
