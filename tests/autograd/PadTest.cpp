#include <ember/autograd/ops/Pad.h>

#include <doctest/doctest.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Arithmetic.h>

#include "support/Draw.h"
#include "support/Headline.h"

// Values and gradients against PyTorch and differences: GoldenTest and OpTableTest, for every mode.

using namespace ember;
using namespace ember::test;

TEST_CASE("the four ways to pad a b c") {
  const Tensor x = Tensor::of<double>({1, 2, 3}, {3});
  const auto padded = [&](PadMode mode) { return pad(x, {2}, {2}, mode).toVector<double>(); };
  CHECK(padded(PadMode::Zeros) == std::vector<double>{0, 0, 1, 2, 3, 0, 0});
  CHECK(padded(PadMode::Reflect) == std::vector<double>{3, 2, 1, 2, 3, 2, 1});
  CHECK(padded(PadMode::Replicate) == std::vector<double>{1, 1, 1, 2, 3, 3, 3});
  CHECK(padded(PadMode::Circular) == std::vector<double>{2, 3, 1, 2, 3, 1, 2});
}

TEST_CASE("integers and bools are padded, too, and no padding is no copy") {
  const Tensor i = Tensor::of<i64>({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(pad(i, {1, 0}, {0, 1}, PadMode::Reflect).toVector<i64>() ==
        std::vector<i64>{4, 5, 6, 5, 1, 2, 3, 2, 4, 5, 6, 5});
  CHECK(pad(i.to(DType::Bool), {0, 1}, {0, 0}, PadMode::Circular).dtype() == DType::Bool);
  CHECK(pad(i, {0, 0}, {0, 0}, PadMode::Reflect).array().storage() == i.array().storage());
}

TEST_CASE("padding keeps the order in memory, and the adjoint adds up what was copied") {
  const Tensor x(draw("x", {2, 3, 4, 5}).array().contiguous(MemoryOrder::ChannelsLast));
  for (const PadMode mode : {PadMode::Reflect, PadMode::Replicate, PadMode::Circular}) {
    Tensor leaf = x.clone().setRequiresGrad();
    const Tensor y = pad(leaf, {0, 0, 2, 1}, {0, 0, 3, 4}, mode);
    CHECK(y.array().order() == MemoryOrder::ChannelsLast);
    const Tensor dy = draw("dy", y.shape());
    y.backward({.gradient = dy});
    CHECK(sum(leaf.grad() * x).item() == doctest::Approx(sum(dy * y).item()).epsilon(1e-12));
  }
}

TEST_CASE("padding further than a mode reaches is an error that says how far it does") {
  const auto headline = [](const Shape& x, i64 before, i64 after, PadMode mode) {
    return headlineOf([&] { pad(Tensor::shapeOnly(x), {0, 0, before}, {0, 0, after}, mode); });
  };
  CHECK(headline({1, 1, 3}, 0, 3, PadMode::Reflect) ==
        "[pad] ShapeError: reflect padding of 3 on axis 2, which has 3 elements");
  CHECK(headline({1, 1, 3}, 4, 0, PadMode::Circular) ==
        "[pad] ShapeError: circular padding of 4 on axis 2, which has 3 elements");
  CHECK(headline({1, 1, 0}, 1, 0, PadMode::Replicate) ==
        "[pad] ShapeError: replicate padding of 1 on axis 2, which has 0 elements");
  CHECK(headline({1, 1, 3}, -1, 0, PadMode::Replicate) == "[pad] ValueError: negative padding on axis 2");
  CHECK(headline({1, 3}, 1, 1, PadMode::Replicate) == "[pad] ShapeError: 3 and 3 sizes for rank 2");
  CHECK(headline({1, 1, 3}, i64{1} << 62, i64{1} << 62, PadMode::Replicate).starts_with("[size] ShapeError: "));
  CHECK(headlineOf<ValueError>([] { padMode("mirror"); }) ==
        "[pad] ValueError: no padding mode is called \"mirror\"");
}
