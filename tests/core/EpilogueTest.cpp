#include <ember/core/kernels/Epilogue.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/kernels/Conv.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/MatMul.h>
#include <ember/core/kernels/Reduce.h>

#include "core/Loops.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::core;
using namespace ember::test;

namespace {

using Kind = FusedAct::Kind;
const std::vector<FusedAct> acts{{}, {Kind::Relu, 0}, {Kind::LeakyRelu, 0.1}, {Kind::LeakyRelu, -0.5}};

NDArray activated(const NDArray& x, const FusedAct& act) {
  if (act.kind == Kind::Relu) return unary(Unary::Relu, x, "relu");
  return act.none() ? x : leakyRelu(x, act.slope);
}

struct UseAlgorithm {
  explicit UseAlgorithm(ConvAlgorithm algorithm) { setConvAlgorithm(algorithm); }
  ~UseAlgorithm() { setConvAlgorithm(ConvAlgorithm::Auto); }
};

double largestDifference(const NDArray& a, const NDArray& b) {
  const auto left = a.toVector<double>(), right = b.toVector<double>();
  double worst = 0;
  for (std::size_t i = 0; i < left.size(); ++i) worst = std::max(worst, std::abs(left[i] - right[i]));
  return worst;
}

struct Case {
  Shape x, w;
  i64 pad = 1, stride = 1;
  ConvGeometry geometry() const {
    return {x.rank() - 2, {stride, stride, stride}, {pad, pad, pad}, {pad, pad, pad}, {1, 1, 1}, 1};
  }
};
const std::vector<Case> cases{{{2, 3, 9}, {5, 3, 3}},
                              {{2, 3, 8, 7}, {5, 3, 3, 3}},
                              {{4, 16, 12, 12}, {16, 16, 3, 3}},
                              {{3, 32, 16, 16}, {32, 32, 3, 3}},
                              {{2, 16, 8, 8}, {32, 16, 1, 1}, 0, 2},
                              {{1, 4, 4, 6, 5}, {16, 4, 3, 3, 3}}};

}  // namespace

TEST_CASE("a convolution with an epilogue gives what convolution, addition and activation give one after the other") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const auto algorithm :
         {ConvAlgorithm::Auto, ConvAlgorithm::Direct, ConvAlgorithm::Winograd, ConvAlgorithm::Reference}) {
      const UseAlgorithm use(algorithm);
      for (const Case& c : cases) {
        const NDArray x = numbers(c.x, 1, -2, 2, dtype).contiguous(MemoryOrder::ChannelsLast);
        const NDArray w = numbers(c.w, 2, -1, 1, dtype), b = numbers({c.w[0]}, 3, -1, 1, dtype);
        for (const NDArray& bias : {NDArray(), b}) {
          const NDArray plain = conv(x, w, bias, c.geometry());
          const NDArray r = numbers(plain.shape(), 4, -3, 3, dtype);
          for (const FusedAct& act : acts) {
            CAPTURE(toString(c.x));
            CAPTURE(static_cast<int>(algorithm));
            CAPTURE(static_cast<int>(act.kind));
            const NDArray alone = fusedConv(x, w, {.bias = bias, .act = act}, c.geometry());
            CAPTURE(largestDifference(alone, activated(plain, act)));
            CHECK(alone.toVector<double>() == activated(plain, act).toVector<double>());
            const NDArray expected = activated(binary(Binary::Add, plain, r, "add"), act);
            // Some kernels begin their sums with the residual: 288 roundings, of sums below 64, add up differently.
            const double tolerance = dtype == DType::F32 ? 1e-4 : 0;
            for (const NDArray& residual : layouts(r)) {
              const NDArray y = fusedConv(x, w, {.bias = bias, .act = act, .residual = residual}, c.geometry());
              CHECK(largestDifference(y, expected) <= tolerance);
              CHECK(residual.toVector<double>() == r.toVector<double>());
            }
          }
        }
      }
    }
  }
}

TEST_CASE("one image of few channels convolves as it lies, like one turned channels last") {
  for (const Case& c : {Case{{1, 3, 9, 8}, {16, 3, 3, 3}}, Case{{1, 4, 4, 6, 5}, {16, 4, 3, 3, 3}},
                        Case{{1, 2, 8, 8}, {16, 2, 5, 5}, 2, 2}}) {
    const NDArray x = numbers(c.x, 1), w = numbers(c.w, 2, -1, 1), b = numbers({16}, 3);
    for (const FusedAct& act : acts) {
      const NDArray y = fusedConv(x, w, {.bias = b, .act = act}, c.geometry());
      CHECK(y.isDense(MemoryOrder::ChannelsLast));
      const NDArray last = x.contiguous(MemoryOrder::ChannelsLast);
      // Two kernels, sums of up to 108 terms below 2.
      CHECK(largestDifference(y, fusedConv(last, w, {.bias = b, .act = act}, c.geometry())) <= 1e-5);
      CHECK(y.toVector<float>() == activated(conv(x, w, b, c.geometry()), act).toVector<float>());
    }
  }
}

TEST_CASE("a residual that may be overwritten gives its memory to the result") {
  const Case& c = cases[2];
  const NDArray x = numbers(c.x, 1), w = numbers(c.w, 2);
  const NDArray r = numbers({4, 16, 12, 12}, 3).contiguous(MemoryOrder::ChannelsLast);
  const Epilogue kept{.act = {Kind::Relu, 0}, .residual = r};
  const NDArray expected = fusedConv(x, w, kept, c.geometry());
  Epilogue given = kept;
  given.overwriteResidual = true;
  const NDArray y = fusedConv(x, w, given, c.geometry());
  CHECK(y.storage() == r.storage());
  CHECK(y.toVector<float>() == expected.toVector<float>());
}

TEST_CASE("NaN and infinity pass a fused relu as they pass relu") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const Case& c = cases[2];
  const NDArray clean = numbers(c.x, 1).contiguous(MemoryOrder::ChannelsLast), w = numbers(c.w, 2),
                b = numbers({16}, 3), r = numbers(c.x, 4).contiguous(MemoryOrder::ChannelsLast);
  const auto spoiled = [](const NDArray& from, float value) {
    const NDArray copy = from.copy();
    copy.data<float>()[7] = value;
    return copy;
  };
  const auto bits = [](const NDArray& y) {
    std::vector<float> values = y.toVector<float>();
    for (float& v : values) v = std::isnan(v) ? -1.0f : v;  // no relu gives a negative number
    return values;
  };
  for (const float bad : {nan, infinity, -infinity}) {
    const Epilogue all[] = {
        {.bias = b, .residual = r}, {.bias = spoiled(b, bad), .residual = r}, {.bias = b, .residual = spoiled(r, bad)}};
    for (const NDArray& x : {clean, spoiled(clean, bad)}) {
      for (const NDArray& filters : {w, spoiled(w, bad)}) {
        for (Epilogue e : all) {
          const NDArray plain = conv(x, filters, e.bias, c.geometry());
          const NDArray expected = unary(Unary::Relu, binary(Binary::Add, plain, e.residual, "add"), "relu");
          e.act = {Kind::Relu, 0};
          const auto values = bits(fusedConv(x, filters, e, c.geometry())), truth = bits(expected);
          std::size_t different = 0;
          for (std::size_t i = 0; i < values.size(); ++i) {
            // As above: sums that began elsewhere.
            if (!(values[i] == truth[i]) && !(std::abs(values[i] - truth[i]) <= 2e-5f)) ++different;
          }
          CHECK(different == 0);
        }
      }
    }
  }
}

TEST_CASE("the gradient in front of an activation and that of the bias come from one pass") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const Shape& shape : {Shape{5, 7}, Shape{33, 130}, Shape{700, 64}, Shape{0, 3}}) {
      const NDArray y = numbers(shape, 1, -2, 2, dtype), dy = numbers(shape, 2, -2, 2, dtype);
      for (const FusedAct& act : acts) {
        if (act.slope < 0) continue;
        const NDArray expected = actBackward(dy, y, act, false);
        const auto sums = reduce(Reduction::Sum, expected, {0}, false, "sum").toVector<double>();
        const double tolerance = dtype == DType::F32 ? 1e-5 : 1e-12;  // only the order of additions differs
        for (const bool overwrite : {false, true}) {
          const NDArray given = dy.copy();
          const RowGradient result = actBackwardRows(given, y, act, overwrite);
          CHECK(result.g.toVector<double>() == expected.toVector<double>());
          CHECK(largestDifference(result.sum, NDArray::from<double>(sums, {shape[1]})) <= tolerance);
          if (!overwrite) CHECK(given.toVector<double>() == dy.toVector<double>());
          if (overwrite && !act.none()) CHECK(result.g.storage() == given.storage());
        }
      }
    }
    // A gradient that was expanded is one number for all.
    const NDArray one = NDArray::full({1, 1}, 2, dtype).expand({4, 3}), y = numbers({4, 3}, 1, -2, 2, dtype);
    const RowGradient plain = actBackwardRows(one, {}, {}, true);
    CHECK(plain.sum.toVector<double>() == std::vector<double>{8, 8, 8});
    CHECK(actBackwardRows(one, y, {Kind::Relu, 0}, true).g.toVector<double>() ==
          actBackward(one, y, {Kind::Relu, 0}, false).toVector<double>());
    CHECK(one.slice(0, 0, 1).slice(1, 0, 1).item() == 2);
  }
}

TEST_CASE("an array is known as finite until it is written") {
  const NDArray x = numbers({4, 5}, 1);
  CHECK(knownFinite(x));
  CHECK(knownFinite(x));
  x.data<float>()[3] = std::numeric_limits<float>::quiet_NaN();
  x.storage()->written("test");
  CHECK_FALSE(knownFinite(x));
  CHECK(knownFinite(x.slice(0, 1, 3)));
  std::vector<float> own(4, 1.0f);
  const NDArray mine = NDArray::fromBlob(own.data(), {4}, DType::F32);
  CHECK(knownFinite(mine));
  own[2] = std::numeric_limits<float>::infinity();  // nobody is told
  CHECK_FALSE(knownFinite(mine));
}

TEST_CASE("a residual of another shape or type is refused") {
  const Case& c = cases[1];
  const NDArray x = numbers(c.x, 1), w = numbers(c.w, 2);
  const auto headline = [&](const NDArray& residual) {
    return headlineOf([&] { (void)fusedConv(x, w, {.residual = residual}, c.geometry()); });
  };
  CHECK(headline(numbers({2, 5, 8, 6}, 3)) == "[conv2d] ShapeError: residual is [2, 5, 8, 6], the output [2, 5, 8, 7]");
  CHECK(headline(numbers({2, 5, 8, 7}, 3, -1, 1, DType::F64)) == "[conv2d] DtypeError: x is f32, residual is f64");
}
