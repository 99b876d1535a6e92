// How tensors are made: of numbers, of ranges, of the user's memory, of random draws.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <ember/autograd/Tensor.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>
#include <ember/core/kernels/Elementwise.h>
#include <fmt/format.h>

namespace ember {
namespace {

// Fills from the stream of the running module; element i depends on the key and i alone.
template <class Draw>
Tensor drawn(const Shape& shape, DType dtype, Draw&& draw) {
  if (dtype != DType::F32 && dtype != DType::F64)
    throw DtypeError("random", "random tensors are f32 or f64, not " + std::string(name(dtype)));
  core::NDArray array = core::NDArray::empty(shape, dtype);
  const random::Key key = random::nextCallKey();
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      T* out = array.data<T>();
      for (i64 i = 0; i < array.numel(); ++i) out[i] = static_cast<T>(draw(key, static_cast<u64>(i)));
    }
  });
  return Tensor(std::move(array));
}

void checkCount(const char* op, const char* what, i64 count) {
  if (count < 0) throw ValueError(op, std::string(what) + " is " + std::to_string(count), {}, "use 0 or more");
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype) { return Tensor(core::NDArray::empty(shape, dtype)); }
Tensor Tensor::zeros(const Shape& shape, DType dtype) { return Tensor(core::NDArray::zeros(shape, dtype)); }
Tensor Tensor::ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }
Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
  return Tensor(core::NDArray::full(shape, value, dtype));
}
Tensor Tensor::scalar(double value, DType dtype) {
  checkFits("scalar", value, dtype);
  return Tensor(core::NDArray::scalar(value, dtype));
}
Tensor Tensor::shapeOnly(const Shape& shape, DType dtype) { return Tensor(core::NDArray::shapeOnly(shape, dtype)); }

Tensor Tensor::arange(double start, double stop, double step, DType dtype) {
  if (!(step != 0) || !std::isfinite(start) || !std::isfinite(stop) || !std::isfinite(step)) {
    throw ValueError("arange", "start, stop and step must be finite and step not 0");
  }
  checkFits("arange", start, dtype);
  checkFits("arange", step, dtype);
  const double count = std::max(0.0, std::ceil((stop - start) / step));
  if (count > 0x1p62)
    throw ValueError("arange", "the range has more elements than any memory holds", {}, "use a larger step");
  if (count > 0) checkFits("arange", start + (count - 1) * step, dtype);
  core::NDArray values = core::NDArray::empty({static_cast<i64>(count)}, DType::F64);
  double* out = values.data<double>();
  for (i64 i = 0; i < values.numel(); ++i) out[i] = start + static_cast<double>(i) * step;
  return Tensor(values.to(dtype));
}

Tensor Tensor::of(std::initializer_list<double> values, DType dtype) {
  for (const double value : values) checkFits("of", value, dtype);
  return Tensor(core::NDArray::from<double>(std::vector<double>(values), {static_cast<i64>(values.size())}).to(dtype));
}

Tensor Tensor::fromBlob(void* data, const Shape& shape, DType dtype, std::function<void(void*)> deleter) {
  return Tensor(core::NDArray::fromBlob(data, shape, dtype, std::move(deleter)));
}

Tensor Tensor::uniform(const Shape& shape, double low, double high, DType dtype) {
  if (!(low <= high) || !std::isfinite(high - low))
    throw ValueError("uniform", fmt::format("low is {} and high {}", low, high), {},
                     "give finite numbers, the lower one first");
  return drawn(shape, dtype,
               [&](const random::Key& key, u64 i) { return low + (high - low) * random::uniform(key, i); });
}

Tensor Tensor::normal(const Shape& shape, double mean, double std, DType dtype) {
  if (!(std >= 0) || !std::isfinite(std) || !std::isfinite(mean))
    throw ValueError("normal", fmt::format("the mean is {} and the standard deviation {}", mean, std), {},
                     "give finite numbers and a deviation of 0 or more");
  return drawn(shape, dtype, [&](const random::Key& key, u64 i) { return mean + std * random::normal(key, i); });
}

Tensor Tensor::linspace(double start, double stop, i64 count, DType dtype) {
  checkCount("linspace", "the number of elements", count);
  checkFits("linspace", start, isFloating(dtype) ? dtype : DType::F64);
  checkFits("linspace", stop, isFloating(dtype) ? dtype : DType::F64);
  core::NDArray values = core::NDArray::empty({count}, DType::F64);
  double* out = values.data<double>();
  const double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0;
  // From both ends, so that both are exact.
  for (i64 i = 0; i < count; ++i) {
    out[i] =
        i < (count + 1) / 2 ? start + static_cast<double>(i) * step : stop - static_cast<double>(count - 1 - i) * step;
  }
  return Tensor(values.to(dtype));
}

Tensor Tensor::eye(i64 rows, i64 columns, i64 diagonal, DType dtype) {
  if (columns == -1) columns = rows;
  checkCount("eye", "the number of rows", rows);
  checkCount("eye", "the number of columns", columns);
  core::NDArray matrix = core::NDArray::zeros({rows, columns}, dtype);
  diagonal = std::clamp(diagonal, -rows, columns);
  const i64 row = std::max<i64>(0, -diagonal), column = std::max<i64>(0, diagonal);
  const i64 count = std::min(rows - row, columns - column);
  if (count > 0) {
    const i64 first = row * columns + column, step = columns + 1;
    core::NDArray line = matrix.reshape({-1}).slice(0, first, first + (count - 1) * step + 1, step);
    core::copyInto(line, core::NDArray::full({count}, 1, dtype), nullptr);
  }
  return Tensor(std::move(matrix));
}

Tensor Tensor::randint(const Shape& shape, i64 low, i64 high, DType dtype) {
  if (low >= high) {
    throw ValueError("randint", "there is no number from " + std::to_string(low) + " to below " + std::to_string(high),
                     {}, "high must be above low");
  }
  checkFits("randint", low, dtype);
  checkFits("randint", high - 1, dtype);
  core::NDArray array = core::NDArray::empty(shape, DType::I64);
  const random::Key key = random::nextCallKey();
  const u64 bound = static_cast<u64>(high) - static_cast<u64>(low);
  i64* out = array.data<i64>();
  for (i64 i = 0; i < array.numel(); ++i) {
    out[i] = static_cast<i64>(static_cast<u64>(low) + random::below(key, static_cast<u64>(i), bound));
  }
  return Tensor(array.to(dtype));
}

Tensor Tensor::randperm(i64 count) {
  checkCount("randperm", "the number of elements", count);
  return of<i64>(random::permutation(random::nextCallKey(), count));
}

Tensor Tensor::bernoulli(const Shape& shape, double p, DType dtype) {
  if (!(p >= 0 && p <= 1)) {
    throw ValueError("bernoulli", "p is " + std::to_string(p) + ", must be in [0, 1]", {},
                     "p is the probability of a 1");
  }
  const core::NDArray u = uniform(shape, 0, 1, DType::F64).array();
  std::vector<double> draws = u.toVector<double>();
  for (double& draw : draws) draw = draw < p ? 1 : 0;
  return Tensor(core::NDArray::from<double>(draws, shape).to(dtype));
}

}  // namespace ember
