// core/kernels/Copy.cpp: any strides to any strides, with conversion.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>

#include "core/Loops.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::core;
using namespace ember::test;

namespace {

const std::vector<DType> allTypes = {DType::F32, DType::F64, DType::BF16, DType::I64,
                                     DType::I32, DType::I8,  DType::U8,   DType::Bool};

}  // namespace

TEST_CASE("copies keep every element between all layouts and element sizes") {
  const std::vector<Shape> shapes = {{}, {5}, {3, 4}, {70, 67}, {2, 3, 4, 5}, {3, 70, 9, 11}, {2, 5, 66}, {0, 3, 2}};
  for (const Shape& shape : shapes) {
    const std::string text = toString(shape);
    CAPTURE(text);
    for (const DType dtype : {DType::F32, DType::F64, DType::BF16, DType::I8}) {
      const NDArray x = numbers(shape, 3, -100, 100, dtype);
      const std::vector<double> expected = x.toVector<double>();
      for (const NDArray& from : layouts(x)) {
        for (NDArray& to : layouts(NDArray::zeros(shape, dtype))) {
          copyInto(to, from, nullptr);
          CHECK(to.toVector<double>() == expected);
        }
      }
    }
  }
}

TEST_CASE("a copy into a view leaves its surroundings alone") {
  NDArray whole = NDArray::full({6, 8}, 9);
  NDArray view = whole.slice(0, 1, 5, 2).slice(1, 2, 6);
  copyInto(view, NDArray::full({2, 4}, 1), "test");
  const std::vector<double> values = whole.toVector<double>();
  for (i64 r = 0; r < 6; ++r) {
    for (i64 c = 0; c < 8; ++c) {
      const bool inside = (r == 1 || r == 3) && c >= 2 && c < 6;
      CHECK(values[static_cast<std::size_t>(r * 8 + c)] == (inside ? 1 : 9));
    }
  }
}

TEST_CASE("conversion between any two types keeps small whole numbers") {
  for (const DType from : allTypes) {
    for (const DType to : allTypes) {
      const NDArray x = NDArray::from<i64>({0, 1, 0, 1, 1}, {5}).to(from);
      CHECK(x.to(to).toVector<i64>() == std::vector<i64>{0, 1, 0, 1, 1});
    }
  }
}

TEST_CASE("conversion truncates, stops at the ends of the range and rounds bf16 to nearest even") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const NDArray x = NDArray::from<double>({1.9, -1.9, 300, -300, inf, -inf, nan, 1e300}, {8});
  CHECK(x.to(DType::I8).toVector<i64>() == std::vector<i64>{1, -1, 127, -128, 127, -128, 0, 127});
  CHECK(x.to(DType::U8).toVector<i64>() == std::vector<i64>{1, 0, 255, 0, 255, 0, 0, 255});
  const i64 most = std::numeric_limits<i64>::max(), least = std::numeric_limits<i64>::min();
  CHECK(x.to(DType::I64).toVector<i64>() == std::vector<i64>{1, -1, 300, -300, most, least, 0, most});
  CHECK(x.to(DType::F32).to(DType::I32).toVector<i64>()[7] == std::numeric_limits<i32>::max());
  CHECK(x.to(DType::Bool).toVector<i64>() == std::vector<i64>(8, 1));
  // Integers as floats: the whole table of narrower and unsigned types.
  const NDArray wide = NDArray::from<i64>({257, -1, 128, -129, i64{1} << 40, least}, {6});
  CHECK(wide.to(DType::U8).toVector<i64>() == std::vector<i64>{255, 0, 128, 0, 255, 0});
  CHECK(wide.to(DType::I8).toVector<i64>() == std::vector<i64>{127, -1, 127, -128, 127, -128});
  const i64 most32 = std::numeric_limits<i32>::max(), least32 = std::numeric_limits<i32>::min();
  CHECK(wide.to(DType::I32).toVector<i64>() == std::vector<i64>{257, -1, 128, -129, most32, least32});
  CHECK(wide.to(DType::I32).to(DType::U8).toVector<i64>() == std::vector<i64>{255, 0, 128, 0, 255, 0});
  CHECK(NDArray::from<u8>({200, 7}, {2}).to(DType::I8).toVector<i64>() == std::vector<i64>{127, 7});
  CHECK(NDArray::from<i8>({-3, 7}, {2}).to(DType::U8).toVector<i64>() == std::vector<i64>{0, 7});
  CHECK(NDArray::from<i8>({-3, 7}, {2}).to(DType::I64).toVector<i64>() == std::vector<i64>{-3, 7});
  // 1 + 2^-8 lies between two bf16 numbers and goes to the even one, 1; 1 + 3·2^-8 to 1 + 2^-6.
  const NDArray halves = NDArray::from<float>({1 + 1.0f / 256, 1 + 3.0f / 256, NAN, 3.4e38f}, {4}).to(DType::BF16);
  const std::vector<double> rounded = halves.toVector<double>();
  CHECK(rounded[0] == 1);
  CHECK(rounded[1] == 1 + 1.0 / 64);
  CHECK(std::isnan(rounded[2]));
  CHECK(std::isinf(rounded[3]));
}

TEST_CASE("an overlapping copy within one array reads before it writes") {
  NDArray x = NDArray::from<i64>({0, 1, 2, 3, 4, 5}, {6});
  NDArray tail = x.slice(0, 1, 6);
  copyInto(tail, x.slice(0, 0, 5), "test");
  CHECK(x.toVector<i64>() == std::vector<i64>{0, 0, 1, 2, 3, 4});
}

TEST_CASE("a copy with a writer advances the version, one without does not") {
  NDArray x = NDArray::zeros({3});
  const u64 before = x.version();
  copyInto(x, NDArray::full({3}, 1), nullptr);
  CHECK(x.version() == before);
  copyInto(x, NDArray::full({3}, 1), "someone");
  CHECK(x.version() == before + 1);
  CHECK(x.storage()->lastWriter().starts_with("someone"));
}

TEST_CASE("a copy between different shapes names both") {
  NDArray x = NDArray::zeros({2, 3});
  CHECK(headlineOf<ShapeError>([&] { copyInto(x, NDArray::zeros({3}), nullptr); }) ==
        "[copy] ShapeError: the source [3] does not fit the destination [2, 3]");
}

TEST_CASE("fill sets exactly the elements of a view, in every type") {
  for (const DType dtype : allTypes) {
    NDArray whole = NDArray::zeros({4, 6}, dtype);
    NDArray view = whole.slice(1, 1, 6, 2);
    fill(view, 1, "test");
    CHECK(whole.version() == 1);
    for (i64 c = 0; c < 6; ++c) CHECK(whole.select(1, c).toVector<i64>() == std::vector<i64>(4, c % 2));
  }
}
