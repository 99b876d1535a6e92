#include <ember/autograd/ops/Sampling.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>

namespace ember {

using namespace autograd;

namespace {

using Row = std::vector<double>;

void checkWeights(const Row& row, i64 index, i64 count, bool replacement) {
  i64 positive = 0;
  const std::string which = "row " + std::to_string(index);
  for (const double w : row) {
    if (!(w >= 0) || !std::isfinite(w)) {
      throw ValueError("multinomial", "a weight in " + which + " is " + std::to_string(w), {},
                       "weights are finite and not negative");
    }
    positive += w > 0;
  }
  if (positive < (replacement ? std::min<i64>(count, 1) : count)) {
    throw ValueError(
        "multinomial",
        std::to_string(count) + " draws from " + std::to_string(positive) + " positive weights in " + which, {},
        replacement ? "give a positive weight" : "draw fewer, or with replacement");
  }
}

// The place where the running sum of the weights passes u times their total.
i64 placeOf(double u, const Row& sums) {
  const auto found = std::upper_bound(sums.begin(), sums.end(), u * sums.back());
  // Rounding may reach the end; and no place of weight 0 is ever hit, because its sum is that of the one before.
  const auto last = std::lower_bound(sums.begin(), sums.end(), sums.back());
  return std::min(found, last) - sums.begin();
}

// With waiting times of exponential distribution, the first to arrive are a draw without replacement
// (Efraimidis and Spirakis 2006).
void firstToArrive(i64* out, const Row& row, i64 count, const random::Key& key, u64 first) {
  std::vector<std::pair<double, i64>> times;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const double wait = -std::log1p(-random::uniform(key, first + i));
    times.emplace_back(row[i] > 0 ? wait / row[i] : std::numeric_limits<double>::infinity(), static_cast<i64>(i));
  }
  std::partial_sort(times.begin(), times.begin() + count, times.end());
  for (i64 i = 0; i < count; ++i) out[i] = times[static_cast<std::size_t>(i)].second;
}

core::NDArray drawn(const core::NDArray& weights, const Shape& shape, i64 count, bool replacement) {
  const std::vector<double> all = weights.toVector<double>();
  const i64 classes = weights.shape().back(), rows = weights.rank() == 1 ? 1 : weights.size(0);
  const core::NDArray result = core::NDArray::empty(shape, DType::I64);
  const random::Key key = random::nextCallKey();
  for (i64 r = 0; r < rows; ++r) {
    Row row(all.begin() + r * classes, all.begin() + (r + 1) * classes);
    checkWeights(row, r, count, replacement);
    i64* out = result.data<i64>() + r * count;
    if (!replacement) {
      firstToArrive(out, row, count, key, static_cast<u64>(r * classes));
      continue;
    }
    for (std::size_t i = 1; i < row.size(); ++i) row[i] += row[i - 1];
    for (i64 i = 0; i < count; ++i) out[i] = placeOf(random::uniform(key, static_cast<u64>(r * count + i)), row);
  }
  return result;
}

}  // namespace

Tensor bernoulli(const Tensor& p) {
  checkOperands("bernoulli", {&p});
  checkFloating("bernoulli", p, "p");
  return apply(
      "bernoulli", {&p}, p.shape(), p.dtype(),
      [&] {
        for (const double value : p.toVector<double>()) {
          if (!(value >= 0 && value <= 1)) {
            throw ValueError("bernoulli", "a probability is " + std::to_string(value) + ", must be in [0, 1]");
          }
        }
        const Tensor odds = p.detach().to(DType::F64);
        return less(Tensor::uniform(p.shape(), 0, 1, DType::F64), odds).to(p.dtype()).array();
      },
      nullptr);
}

Tensor multinomial(const Tensor& weights, i64 count, bool replacement) {
  constexpr const char* op = "multinomial";
  checkOperands(op, {&weights});
  checkFloating(op, weights, "weights");
  if (weights.rank() != 1 && weights.rank() != 2) {
    throw ShapeError(op, "weights are " + toString(weights.shape()) + ", expected [classes] or [rows, classes]");
  }
  if (count < 0) throw ValueError(op, "the number of draws is " + std::to_string(count), {}, "use 0 or more");
  Shape shape = weights.shape();
  shape[shape.rank() - 1] = count;
  return apply(
      op, {&weights}, shape, DType::I64, [&] { return drawn(weights.array(), shape, count, replacement); }, nullptr);
}

}  // namespace ember
