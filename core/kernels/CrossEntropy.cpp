#include <ember/core/kernels/CrossEntropy.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Fold.h>
#include <ember/core/kernels/SimdRun.h>
#include <ember/core/kernels/VectorMath.h>

// Channels last, [N, C, ...] is a plain matrix of one row a sample and one column a class, and the rows come in the
// order of the row-major labels.

namespace ember::core {
namespace {

Shape withoutClasses(const Shape& x) {
  Shape shape = x;
  shape.erase(1);
  return shape;
}

/// The target distribution row by row.
class Distribution {
 public:
  Distribution(const ClassTargets& targets, i64 classes)
      : labels_(targets.labels.contiguous()),
        label_(labels_.data<i64>()),
        ignore_(targets.ignoreIndex),
        classes_(classes),
        weights_(targets.weights.defined() ? targets.weights.toVector<double>()
                                           : std::vector<double>(static_cast<std::size_t>(classes), 1.0)),
        smoothing_(targets.smoothing),
        share_(targets.smoothing / static_cast<double>(classes)),
        op_(targets.op) {
    for (const double w : weights_) weightSum_ += w;
    for (i64 row = 0; row < labels_.numel(); ++row) {
      if (!ignored(row) && (label_[row] < 0 || label_[row] >= classes)) throwLabel(row);
    }
  }
  i64 rows() const { return labels_.numel(); }
  i64 label(i64 row) const { return label_[row]; }
  bool ignored(i64 row) const { return label_[row] == ignore_; }
  double weight(i64 row) const { return weights_[static_cast<std::size_t>(label_[row])]; }
  bool smooth() const { return smoothing_ > 0; }
  double sharp(i64 row) const { return (1 - smoothing_) * weight(row); }
  double flat(i64 c) const { return share_ * weights_[static_cast<std::size_t>(c)]; }
  double sum(i64 row) const { return ignored(row) ? 0 : sharp(row) + share_ * weightSum_; }
  double at(i64 row, i64 c) const { return ignored(row) ? 0 : flat(c) + (c == label_[row] ? sharp(row) : 0); }

 private:
  [[noreturn]] void throwLabel(i64 row) const {
    std::string place = std::to_string(row);
    if (labels_.rank() > 1) {
      Shape index = labels_.shape();
      i64 rest = row;
      for (int axis = labels_.rank() - 1; axis >= 0; --axis) {
        index[axis] = rest % labels_.size(axis);
        rest /= labels_.size(axis);
      }
      place = toString(index);
    }
    throw ValueError(op_,
                     "label " + std::to_string(label_[row]) + " of sample " + place + " is outside [0, " +
                         std::to_string(classes_) + ")",
                     {{"labels", toString(labels_.shape())}},
                     "labels count from 0; ignoreIndex marks samples to leave out");
  }

  NDArray labels_;
  const i64* label_;
  i64 ignore_, classes_;
  std::vector<double> weights_;
  double smoothing_, share_, weightSum_ = 0;
  const char* op_;
};

template <class T>
EMBER_INLINE double logSumExpOf(const T* row, i64 classes) {
  constexpr i64 block = 256;
  T each[block];
  const T largest = foldRun<MaxFold<T>>(row, classes, 1);
  double sum = 0;
  for (i64 start = 0; start < classes; start += block) {
    const i64 count = std::min(block, classes - start);
    for (i64 c = 0; c < count; ++c) each[c] = vmath::exp(row[start + c] - largest);
    sum += static_cast<double>(foldRun<SumFold<T>>(each, count, 1));
  }
  return static_cast<double>(largest) + std::log(sum);
}

i64 grainOf(i64 classes) { return std::max<i64>(1, 4096 / std::max<i64>(1, classes)); }

template <class F>
void forFloating(const NDArray& x, F&& f) {
  x.dtype() == DType::F64 ? f(double{}) : f(float{});
}

}  // namespace

void checkCrossEntropy(const Shape& x, const ClassTargets& targets, const char* op) {
  const auto details = [&] {
    return Error::Details{{"logits", toString(x)}, {"labels", describe("", targets.labels)}};
  };
  if (targets.labels.dtype() != DType::I64) {
    throw DtypeError(op, "labels are " + std::string(name(targets.labels.dtype())) + ", expected i64", details(),
                     "give class indices, as i64");
  }
  if (x.rank() < 2)
    throw ShapeError(op, "logits have rank " + std::to_string(x.rank()) + ", expected [N, C] or [N, C, ...]", details());
  if (x[1] < 1) throw ShapeError(op, "logits have 0 classes", details());
  const Shape expected = withoutClasses(x);
  if (targets.labels.shape() != expected) {
    throw ShapeError(op,
                     "labels are " + toString(targets.labels.shape()) + ", logits " + toString(x) + " need labels " +
                         toString(expected),
                     details(), "give one label a sample");
  }
  if (!(targets.smoothing >= 0 && targets.smoothing <= 1)) {
    throw ValueError(op, "labelSmoothing is " + std::to_string(targets.smoothing) + ", must be in [0, 1]");
  }
  if (targets.weights.defined() && targets.weights.shape() != Shape{x[1]}) {
    throw ShapeError(op,
                     "class weights are " + toString(targets.weights.shape()) + ", " + std::to_string(x[1]) +
                         " classes need [" + std::to_string(x[1]) + "]",
                     details());
  }
}

CrossEntropyResult crossEntropy(const NDArray& x, const ClassTargets& targets) {
  checkCrossEntropy(x.shape(), targets, targets.op);
  const ComputeScope scope;
  const i64 classes = x.size(1);
  const Distribution q(targets, classes);
  const NDArray logits = x.contiguous(MemoryOrder::ChannelsLast);
  CrossEntropyResult result{NDArray::empty(targets.labels.shape(), DType::F64),
                            NDArray::empty(targets.labels.shape(), DType::F64)};
  double *losses = result.losses.data<double>(), *logSums = result.logSumExp.data<double>();
  forFloating(x, [&](auto zero) {
    using T = decltype(zero);
    const T* data = logits.data<T>();
    parallelFor(q.rows(), grainOf(classes), [&](i64 begin, i64 end) {
      simd::runFor<T>([=]() EMBER_SIMD_BODY {
        for (i64 row = begin; row < end; ++row) logSums[row] = logSumExpOf(data + row * classes, classes);
      });
      for (i64 row = begin; row < end; ++row) {
        const T* values = data + row * classes;
        const double logSum = logSums[row];
        double loss = 0;
        if (!q.ignored(row)) {
          loss = q.sharp(row) * (logSum - static_cast<double>(values[q.label(row)]));
          for (i64 c = 0; q.smooth() && c < classes; ++c) loss += q.flat(c) * (logSum - static_cast<double>(values[c]));
        }
        losses[row] = loss;
      }
    });
  });
  for (i64 row = 0; row < q.rows(); ++row) {
    result.total += losses[row];
    if (q.ignored(row)) continue;
    result.weight += q.weight(row);
    ++result.counted;
  }
  return result;
}

NDArray crossEntropyBackward(const NDArray& x, const ClassTargets& targets, const NDArray& logSumExp, const NDArray& g,
                             double factor) {
  const ComputeScope scope;
  const i64 classes = x.size(1);
  const Distribution q(targets, classes);
  const NDArray logits = x.contiguous(MemoryOrder::ChannelsLast), scales = g.contiguous();
  const NDArray dx = NDArray::empty(x.shape(), x.dtype(), MemoryOrder::ChannelsLast);
  const i64 step = g.rank() == 0 ? 0 : 1;
  const double* logSums = logSumExp.data<double>();
  forFloating(x, [&](auto zero) {
    using T = decltype(zero);
    const T *data = logits.data<T>(), *scale = scales.data<T>();
    T* to = dx.data<T>();
    parallelFor(q.rows(), grainOf(classes), [&](i64 begin, i64 end) {
      for (i64 row = begin; row < end; ++row) {
        const T* values = data + row * classes;
        const double logSum = logSums[row];
        T* gradient = to + row * classes;
        if (q.ignored(row)) {
          std::fill(gradient, gradient + classes, T{0});
          continue;
        }
        const double each = factor * static_cast<double>(scale[row * step]);
        const T whole = static_cast<T>(each * q.sum(row));
        // The difference is small where the gradient is not, but both of its sides may be large: it is taken in f64.
        simd::runFor<T>([=]() EMBER_SIMD_BODY {
          for (i64 c = 0; c < classes; ++c)
            gradient[c] = vmath::exp(static_cast<T>(static_cast<double>(values[c]) - logSum)) * whole;
        });
        if (q.smooth()) {
          for (i64 c = 0; c < classes; ++c) gradient[c] -= static_cast<T>(each * q.flat(c));
        }
        gradient[q.label(row)] -= static_cast<T>(each * q.sharp(row));
      }
    });
  });
  return dx;
}

NDArray crossEntropyDistribution(const NDArray& x, const ClassTargets& targets) {
  const i64 classes = x.size(1);
  const Distribution q(targets, classes);
  const NDArray result = NDArray::empty(x.shape(), x.dtype(), MemoryOrder::ChannelsLast);
  forFloating(x, [&](auto zero) {
    using T = decltype(zero);
    T* to = result.data<T>();
    for (i64 row = 0; row < q.rows(); ++row) {
      for (i64 c = 0; c < classes; ++c) to[row * classes + c] = static_cast<T>(q.at(row, c));
    }
  });
  return result;
}

}  // namespace ember::core
