#include <ember/core/kernels/MatMul.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/MatrixView.h>
#include <ember/core/kernels/onednn/ImplNames.h>
#include <ember/core/kernels/onednn/PrimitiveCache.h>
#include <ember/core/kernels/reference/MatMul.h>

#include "core/SteadyMemory.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::core;
using namespace ember::test;

namespace {

using Values = std::vector<double>;

/// Integers in [-3, 3]: all products and sums are exact in f32.
NDArray integers(const Shape& shape, u64 stream, DType dtype) {
  Values values;
  for (i64 i = 0; i < numel(shape); ++i)
    values.push_back(static_cast<double>(random::below({1, stream, 0}, static_cast<u64>(i), 7)) - 3);
  return NDArray::from<double>(values, shape).to(dtype);
}

/// The definition for operands of rank 2 and more, by expanding both to the full batch.
Values plain(const NDArray& a, const NDArray& b, const Shape& y) {
  Shape batchA = y, batchB = y;
  const int rank = y.rank();
  const i64 rows = y[rank - 2], columns = y[rank - 1], inner = a.size(-1);
  batchA[rank - 1] = inner;
  batchB[rank - 2] = inner;
  const auto as = a.expand(batchA).toVector<double>(), bs = b.expand(batchB).toVector<double>();
  Values result;
  for (i64 i = 0; i < numel(y); ++i) {
    const i64 batch = i / (rows * columns), row = i / columns % rows, column = i % columns;
    double sum = 0;
    for (i64 k = 0; k < inner; ++k) {
      sum += as[static_cast<std::size_t>((batch * rows + row) * inner + k)] *
             bs[static_cast<std::size_t>((batch * inner + k) * columns + column)];
    }
    result.push_back(sum);
  }
  return result;
}

void check(const NDArray& a, const NDArray& b) {
  CAPTURE(toString(a.shape()));
  CAPTURE(toString(a.strides()));
  CAPTURE(toString(b.shape()));
  CAPTURE(toString(b.strides()));
  const Shape y = matmulShape(a.shape(), b.shape(), "test");
  const NDArray result = matmul(a, b);
  CHECK(toString(result.shape()) == toString(y));
  CHECK(result.isDense());
  CHECK(result.toVector<double>() == plain(a, b, y));
}

}  // namespace

TEST_CASE("matrix products of any strides are exact on small integers") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const auto& [m, k, n] : std::vector<std::array<i64, 3>>{
             {3, 4, 5}, {1, 7, 1}, {1, 1, 1}, {17, 33, 65}, {1, 64, 10}, {64, 64, 1}, {5, 1, 6}}) {
      const NDArray a = integers({m, k}, 1, dtype), b = integers({k, n}, 2, dtype);
      const NDArray aT = integers({k, m}, 3, dtype).transpose(0, 1), bT = integers({n, k}, 4, dtype).transpose(0, 1);
      check(a, b);
      check(aT, b);
      check(a, bT);
      check(aT, bT);
      check(integers({m, 2 * k}, 5, dtype).slice(1, 0, 2 * k, 2), b);                      // no unit stride: copied
      check(integers({m + 3, k + 2}, 6, dtype).slice(0, 2, m + 2).slice(1, 1, k + 1), b);  // a window
      check(a, integers({n + 2, k + 3}, 7, dtype).slice(1, 0, k).slice(0, 1, n + 1).transpose(0, 1));
      check(a, integers({1, n}, 8, dtype).expand({k, n}));
      check(integers({m, 1}, 9, dtype).expand({m, k}), b);
    }
  }
}

TEST_CASE("batches broadcast, views and expanded axes included") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    const auto draw = [&](const Shape& shape, u64 stream) { return integers(shape, stream, dtype); };
    check(draw({6, 3, 4}, 1), draw({6, 4, 5}, 2));
    check(draw({6, 3, 4}, 1), draw({4, 5}, 2));
    check(draw({3, 4}, 1), draw({6, 4, 5}, 2));
    check(draw({6, 4, 3}, 1).transpose(1, 2), draw({4, 5}, 2));
    check(draw({2, 1, 3, 4}, 1), draw({1, 3, 4, 5}, 2));
    check(draw({2, 3, 3, 4}, 1), draw({3, 4, 5}, 2));
    check(draw({2, 3, 3, 4}, 1), draw({2, 1, 4, 5}, 2));
    check(draw({1, 3, 4}, 1).expand({5, 3, 4}), draw({5, 4, 2}, 2));
    check(draw({1, 3, 4}, 1).expand({5, 3, 4}), draw({1, 4, 2}, 2).expand({5, 4, 2}));
    check(draw({2, 5, 3, 4}, 1).permute({0, 2, 1, 3}), draw({2, 6, 3, 4}, 2).permute({0, 2, 3, 1}));  // attention
    check(draw({4, 2, 3, 5}, 1).slice(0, 0, 4, 2), draw({2, 2, 5, 3}, 2));
    check(draw({2, 2, 2, 2, 3, 4}, 1), draw({2, 1, 2, 4, 3}, 2));
  }
}

TEST_CASE("vectors multiply as in NumPy") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    const NDArray v = integers({4}, 1, dtype), m = integers({4, 5}, 2, dtype), batch = integers({3, 2, 4}, 3, dtype);
    CHECK(toString(matmul(v, v).shape()) == "[]");
    CHECK(matmul(v, v).toVector<double>() == plain(v.unsqueeze(0), v.unsqueeze(1), {1, 1}));
    CHECK(toString(matmul(v, m).shape()) == "[5]");
    CHECK(matmul(v, m).toVector<double>() == plain(v.unsqueeze(0), m, {1, 5}));
    CHECK(toString(matmul(batch, v).shape()) == "[3, 2]");
    CHECK(matmul(batch, v).toVector<double>() == plain(batch, v.unsqueeze(1), {3, 2, 1}));
    CHECK(matmul(v, integers({3, 4, 2}, 4, dtype)).toVector<double>() ==
          plain(v.unsqueeze(0), integers({3, 4, 2}, 4, dtype), {3, 1, 2}));
    CHECK(matmul(v.expand({4}), integers({4, 8}, 5, dtype).slice(1, 0, 8, 8).reshape({4})).numel() == 1);
  }
}

TEST_CASE("nothing times something: empty sizes give zeros or nothing") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    CHECK(matmul(NDArray::empty({2, 0}, dtype), NDArray::empty({0, 3}, dtype)).toVector<double>() == Values(6, 0.0));
    CHECK(toString(matmul(NDArray::empty({0, 4}, dtype), NDArray::full({4, 3}, 1, dtype)).shape()) == "[0, 3]");
    CHECK(toString(matmul(NDArray::empty({0, 2, 4}, dtype), NDArray::full({4, 3}, 1, dtype)).shape()) == "[0, 2, 3]");
    CHECK(matmul(NDArray::empty({0}, dtype), NDArray::empty({0}, dtype)).item() == 0);
    const NDArray bias = integers({3}, 1, dtype);
    CHECK(linear(NDArray::empty({1, 0}, dtype), NDArray::empty({3, 0}, dtype), bias).toVector<double>() ==
          bias.toVector<double>());
    CHECK(toString(linear(NDArray::empty({0, 2}, dtype), NDArray::full({3, 2}, 1, dtype), bias).shape()) == "[0, 3]");
  }
}

TEST_CASE("linear is x times w transposed plus bias") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const auto& [n, in, out] : std::vector<std::array<i64, 3>>{{4, 6, 3}, {1, 64, 10}, {32, 128, 70}}) {
      const NDArray x = integers({n, in}, 1, dtype), w = integers({out, in}, 2, dtype),
                    bias = integers({out}, 3, dtype);
      const auto product = plain(x, w.transpose(0, 1), {n, out});
      CHECK(linear(x, w, {}).toVector<double>() == product);
      auto shifted = product;
      const auto offsets = bias.toVector<double>();
      for (std::size_t i = 0; i < shifted.size(); ++i) shifted[i] += offsets[i % offsets.size()];
      CHECK(linear(x, w, bias).toVector<double>() == shifted);
      const NDArray spaced = integers({2 * out}, 3, dtype).slice(0, 0, 2 * out, 2);
      CHECK(linear(x, w, spaced).toVector<double>() == linear(x, w, spaced.copy()).toVector<double>());
    }
  }
}

TEST_CASE("a linear layer with an activation gives what both give one after the other, in every form of the product") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  using Kind = FusedAct::Kind;
  const std::vector<FusedAct> acts{{Kind::Relu, 0}, {Kind::LeakyRelu, 0.5}, {Kind::LeakyRelu, 0}};
  // Few rows; many outputs, which are turned; results worth joining.
  const std::vector<std::array<i64, 3>> sizes{{4, 6, 3}, {32, 30, 64}, {48, 30, 130}, {64, 80, 70}};
  for (const auto& [n, in, out] : sizes) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      for (const float bad : {1.0f, nan, infinity}) {
        const NDArray x = integers({n, in}, 1, DType::F32), w = integers({out, in}, 2, dtype);
        x.data<float>()[7] = bad;
        const NDArray left = x.to(dtype);
        for (const NDArray& bias : {NDArray(), integers({out}, 3, dtype)}) {
          const Values plain = linear(left, w, bias).toVector<double>();
          for (const FusedAct& act : acts) {
            for (const bool keepsW : {false, true}) {
              const Values values = linear(left, w, bias, keepsW, act).toVector<double>();
              const bool cuts = act.kind == Kind::Relu;
              std::size_t different = 0;
              for (std::size_t i = 0; i < values.size(); ++i) {
                const double v = plain[i], expected = v > 0 || std::isnan(v) ? v : cuts ? 0 : v * act.slope;
                if (values[i] != expected && !(std::isnan(values[i]) && std::isnan(expected))) ++different;
              }
              CHECK(different == 0);
            }
          }
        }
      }
    }
  }
}

TEST_CASE("little work keeps to its own thread, whatever runs inside") {
  const int before = threads();
  setThreads(2);
  {
    const ComputeScope little(1000);
    CHECK(ComputeScope::threads() == 1);
    const ComputeScope inside;
    CHECK(ComputeScope::threads() == 1);
  }
  {
    const ComputeScope much(1e6);
    CHECK(ComputeScope::threads() == 2);
    const ComputeScope inside(1000);
    CHECK(ComputeScope::threads() == 2);
  }
  const ComputeScope unknown;
  CHECK(ComputeScope::threads() == 2);
  setThreads(before);
}

TEST_CASE("the plain loops agree, batches and transposes included") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    const NDArray a = integers({2, 1, 5, 4}, 1, dtype), b = integers({1, 3, 6, 4}, 2, dtype).transpose(2, 3);
    const NDArray y = NDArray::zeros({2, 3, 5, 6}, dtype);
    reference::addProduct(MatrixView(a), MatrixView(b), y);
    CHECK(y.toVector<double>() == matmul(a, b).toVector<double>());
  }
}

TEST_CASE("transposed views and windows are read where they lie") {
  const NDArray a = integers({64, 32}, 1, DType::F32);
  CHECK(MatrixView(a.transpose(0, 1)).array.raw() == a.raw());
  CHECK(MatrixView(a.slice(1, 3, 20)).array.raw() == a.slice(1, 3, 20).raw());
  CHECK(MatrixView(a.slice(1, 0, 32, 2)).array.raw() != a.raw());
}

TEST_CASE("no matrix product of ordinary strides runs on oneDNN's reference kernels, and repeats take no memory") {
  onednn::clearCache();
  const NDArray x = integers({64, 128}, 1, DType::F32), w = integers({32, 128}, 2, DType::F32),
                bias = integers({32}, 3, DType::F32);
  const NDArray dy = integers({64, 32}, 4, DType::F32), batch = integers({8, 16, 24}, 5, DType::F32);
  const auto step = [&] {
    linear(x, w, bias);
    matmul(dy, w);
    matmul(dy.transpose(0, 1), x);
    matmul(batch, batch.transpose(1, 2));
    matmul(batch.permute({1, 0, 2}), batch.permute({1, 2, 0}));
    matmul(x.slice(1, 0, 100), w.slice(1, 28, 128).transpose(0, 1));
  };
  checkSteadyMemory(step);
  const auto names = onednn::usedImplementations();
  CHECK(names.size() == 6);
  for (const std::string& name : names) CHECK(name.find("ref") == std::string::npos);
}

TEST_CASE("operands that don't fit are refused, with numbers") {
  const auto zeros = [](const Shape& shape, DType dtype = DType::F32) { return NDArray::zeros(shape, dtype); };
  CHECK(headlineOf([&] {
          matmul(zeros({2, 3}), zeros({4, 5}));
        }) == "[matmul] ShapeError: shapes cannot be multiplied (2x3 and 4x5)");
  CHECK(headlineOf([&] { matmul(zeros({3}), zeros({4})); }) ==
        "[matmul] ShapeError: shapes cannot be multiplied (3 and 4)");
  CHECK(headlineOf([&] {
          matmul(zeros({2, 2, 3}), zeros({3, 3, 3}));
        }).find("[matmul] ShapeError: cannot broadcast [2] with [3]") == 0);
  CHECK(headlineOf([&] { matmul(NDArray::scalar(1), zeros({2})); }) ==
        "[matmul] ShapeError: a scalar has no matrix product");
  CHECK(headlineOf([&] {
          matmul(zeros({2, 3}), zeros({3, 2}, DType::F64));
        }) == "[matmul] DtypeError: a is f32, b is f64");
  CHECK(headlineOf([&] {
          matmul(zeros({2, 3}, DType::I64), zeros({3, 2}, DType::I64));
        }) == "[matmul] DtypeError: cannot compute in i64");
  CHECK(headlineOf([&] {
          linear(zeros({2, 3136}), zeros({10, 512}), {});
        }) == "[linear] ShapeError: input has 3136 features, weights expect 512");
  CHECK(headlineOf([&] {
          linear(zeros({2, 3}), zeros({4, 3}), zeros({3}));
        }) == "[linear] ShapeError: bias has shape [3], expected [4]");
  CHECK(headlineOf([&] {
          linear(zeros({2, 3, 4}), zeros({4, 4}), {});
        }) == "[linear] ShapeError: input has rank 3 and weights rank 2, expected 2 and 2");
}
