#include <ember/core/kernels/Reduce.h>

#include <cmath>
#include <limits>
#include <string>
#include <type_traits>

#include <ember/core/Error.h>
#include <ember/core/kernels/LoopNest.h>

// One scheme serves all: the kept axes are the outer loop, the reduced axes the inner one. Sums run over fixed blocks of elements
// in f64, so a result depends on the data and its layout alone, never on the number of threads.

namespace ember::core {
namespace {

struct Split {
  LoopNest<2> kept;     // result, x
  LoopNest<1> reduced;  // x
  i64 keptCount = 1, reducedCount = 1;
};

std::vector<bool> reducedAxes(const Shape& shape, const std::vector<int>& axes, const char* op) {
  std::vector<bool> reduced(static_cast<std::size_t>(shape.rank()), axes.empty());
  for (const int axis : axes) {
    const auto position = static_cast<std::size_t>(normalizeAxis(axis, shape.rank(), op));
    if (reduced[position]) throw ShapeError(op, "axis " + std::to_string(axis) + " is given twice");
    reduced[position] = true;
  }
  return reduced;
}

Split splitAxes(const NDArray& x, const std::vector<bool>& reduced, const NDArray& keptResult) {
  Shape keptShape, reducedShape;
  Strides resultStrides, keptStrides, reducedStrides;
  Split split;
  for (int i = 0; i < x.rank(); ++i) {
    if (reduced[static_cast<std::size_t>(i)]) {
      reducedShape.push(x.shape()[i]);
      reducedStrides.push(x.strides()[i]);
      split.reducedCount *= x.shape()[i];
    } else {
      keptShape.push(x.shape()[i]);
      keptStrides.push(x.strides()[i]);
      resultStrides.push(keptResult.strides()[i]);
      split.keptCount *= x.shape()[i];
    }
  }
  split.kept = makeLoopNest<2>(keptShape, {resultStrides, keptStrides});
  split.reduced = makeLoopNest<1>(reducedShape, {reducedStrides});
  return split;
}

// Calls f(offset, count, stride) for every run of the nest, in order, on this thread.
template <class F> void walk(const LoopNest<1>& nest, F&& f) {
  const int last = nest.sizes.rank() - 1;
  i64 outer = 1;
  for (int i = 0; i < last; ++i) outer *= nest.sizes[i];
  for (i64 k = 0; k < outer; ++k) {
    i64 rest = k, offset = 0;
    for (int i = last - 1; i >= 0; --i) {
      offset += rest % nest.sizes[i] * nest.strides[0][i];
      rest /= nest.sizes[i];
    }
    f(offset, nest.sizes[last], nest.strides[0][last]);
  }
}

// Eight partial sums break the chain of additions and let the compiler vectorise.
template <class Wide, class T> Wide sumRun(const T* x, i64 count, i64 stride) {
  Wide part[8] = {};
  i64 i = 0;
  if (stride == 1) {
    for (; i + 8 <= count; i += 8) {
      for (int k = 0; k < 8; ++k) part[k] += static_cast<Wide>(x[i + k]);
    }
  }
  for (; i < count; ++i) part[0] += static_cast<Wide>(x[i * stride]);
  return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

constexpr i64 blockElements = 1 << 15;

template <class T> using WideOf = std::conditional_t<std::is_floating_point_v<T>, double, i64>;

// A sum of everything in memory order: blocks of fixed size in parallel, joined in order.
template <class T> WideOf<T> sumDense(const T* x, i64 count) {
  const i64 blocks = (count + blockElements - 1) / blockElements;
  std::vector<WideOf<T>> partial(static_cast<std::size_t>(blocks));
  parallelFor(blocks, 1, [&](i64 begin, i64 end) {
    for (i64 b = begin; b < end; ++b) {
      const i64 first = b * blockElements;
      partial[static_cast<std::size_t>(b)] = sumRun<WideOf<T>>(x + first, std::min(blockElements, count - first), 1);
    }
  });
  WideOf<T> total = 0;
  for (const auto& value : partial) total += value;
  return total;
}

// x seen as [rows, columns] with columns adjacent, reduced over the rows: the bias gradient's and batch norm's shape.
template <class T> void sumRows(const T* x, i64 rows, i64 columns, i64 rowStride, T* out, double factor) {
  const i64 rowsPerBlock = std::max<i64>(1, blockElements / std::max<i64>(columns, 1));
  const i64 blocks = (rows + rowsPerBlock - 1) / rowsPerBlock;
  std::vector<WideOf<T>> partial(static_cast<std::size_t>(blocks * columns), WideOf<T>(0));
  parallelFor(blocks, 1, [&](i64 begin, i64 end) {
    for (i64 b = begin; b < end; ++b) {
      WideOf<T>* sums = partial.data() + b * columns;
      for (i64 r = b * rowsPerBlock; r < std::min(rows, (b + 1) * rowsPerBlock); ++r) {
        const T* row = x + r * rowStride;
        for (i64 c = 0; c < columns; ++c) sums[c] += static_cast<WideOf<T>>(row[c]);
      }
    }
  });
  for (i64 c = 0; c < columns; ++c) {
    WideOf<T> total = 0;
    for (i64 b = 0; b < blocks; ++b) total += partial[static_cast<std::size_t>(b * columns + c)];
    out[c] = std::is_floating_point_v<T> ? static_cast<T>(static_cast<double>(total) * factor) : static_cast<T>(total);
  }
}

template <class T, class F> void reduceEach(const Split& split, T* out, const T* in, F&& finish) {
  LoopNest<2> nest = split.kept;
  // The outer loop is parallel over kept elements; small inner reductions are grouped.
  const i64 grain = std::max<i64>(1, elementGrain / std::max<i64>(split.reducedCount, 1));
  const int rank = nest.sizes.rank();
  parallelFor(split.keptCount, grain, [&](i64 begin, i64 end) {
    for (i64 k = begin; k < end; ++k) {
      i64 rest = k, to = 0, from = 0;
      for (int i = rank - 1; i >= 0; --i) {
        const i64 at = rest % nest.sizes[i];
        rest /= nest.sizes[i];
        to += at * nest.strides[0][i];
        from += at * nest.strides[1][i];
      }
      out[to] = finish(in + from);
    }
  });
}

template <class T> void sumInto(NDArray& result, const NDArray& x, const Split& split, double factor) {
  T* out = result.data<T>();
  const T* in = x.data<T>();
  const auto finish = [&](WideOf<T> total) {
    return std::is_floating_point_v<T> ? static_cast<T>(static_cast<double>(total) * factor) : static_cast<T>(total);
  };
  const auto& kept = split.kept;
  const auto& reduced = split.reduced;
  if (split.keptCount == 1 && reduced.sizes.rank() == 1 && (reduced.strides[0][0] == 1 || reduced.sizes[0] == 1)) {
    *out = finish(sumDense(in, split.reducedCount));
  } else if (kept.sizes.rank() == 1 && kept.strides[0][0] == 1 && kept.strides[1][0] == 1 && reduced.sizes.rank() == 1) {
    sumRows(in, reduced.sizes[0], kept.sizes[0], reduced.strides[0][0], out, factor);
  } else {
    reduceEach<T>(split, out, in, [&](const T* first) {
      WideOf<T> total = 0;
      walk(reduced, [&](i64 offset, i64 count, i64 stride) { total += sumRun<WideOf<T>>(first + offset, count, stride); });
      return finish(total);
    });
  }
}

template <class T, class F> void foldInto(NDArray& result, const NDArray& x, const Split& split, T start, F fold) {
  reduceEach<T>(split, result.data<T>(), x.data<T>(), [&](const T* first) {
    T value = start;
    walk(split.reduced, [&](i64 offset, i64 count, i64 stride) {
      for (i64 i = 0; i < count; ++i) value = fold(value, first[offset + i * stride]);
    });
    return value;
  });
}

template <class T> constexpr T lowest() {
  return std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
}
template <class T> constexpr T highest() {
  return std::is_floating_point_v<T> ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::max();
}

}  // namespace

Shape reduceShape(const Shape& shape, const std::vector<int>& axes, bool keepDims, const char* op) {
  const std::vector<bool> reduced = reducedAxes(shape, axes, op);
  Shape result;
  for (int i = 0; i < shape.rank(); ++i) {
    if (!reduced[static_cast<std::size_t>(i)]) {
      result.push(shape[i]);
    } else if (keepDims) {
      result.push(1);
    }
  }
  return result;
}

NDArray reduce(Reduction kind, const NDArray& x, const std::vector<int>& axes, bool keepDims, const char* op) {
  const std::vector<bool> reduced = reducedAxes(x.shape(), axes, op);
  NDArray result = NDArray::empty(reduceShape(x.shape(), axes, true, op), x.dtype());
  const Split split = splitAxes(x, reduced, result);
  if (split.reducedCount == 0 && split.keptCount > 0 && kind != Reduction::Sum && kind != Reduction::Prod) {
    throw ValueError(op, "a " + std::string(kind == Reduction::Mean ? "mean" : kind == Reduction::Max ? "maximum" : "minimum") + " over 0 elements",
                     {{"x", toString(x.shape())}});
  }
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, bf16>) {
      throw DtypeError(op, "x is " + std::string(name(x.dtype())) + ", which has no arithmetic", {{"x", toString(x.shape())}}, "convert it with to()");
    } else {
      switch (kind) {
        case Reduction::Sum: sumInto<T>(result, x, split, 1); break;
        case Reduction::Mean:
          if constexpr (std::is_floating_point_v<T>) {
            sumInto<T>(result, x, split, 1 / static_cast<double>(split.reducedCount));
          } else {
            throw DtypeError(op, "a mean of " + std::string(name(x.dtype())), {{"x", toString(x.shape())}}, "convert it with to(DType::F32)");
          }
          break;
        case Reduction::Max: foldInto<T>(result, x, split, lowest<T>(), [](T a, T b) { return b > a || b != b ? b : a; }); break;
        case Reduction::Min: foldInto<T>(result, x, split, highest<T>(), [](T a, T b) { return b < a || b != b ? b : a; }); break;
        case Reduction::Prod: foldInto<T>(result, x, split, T(1), [](T a, T b) { return static_cast<T>(a * b); }); break;
      }
    }
  });
  return keepDims ? result : result.reshape(reduceShape(x.shape(), axes, false, op));
}

NDArray argmax(const NDArray& x, int axis, bool keepDims) {
  axis = normalizeAxis(axis, x.rank(), "argmax");
  const i64 size = x.shape()[axis];
  if (size == 0) throw ValueError("argmax", "a maximum over 0 elements", {{"x", toString(x.shape())}});
  Shape shape = x.shape();
  shape[axis] = 1;
  NDArray result = NDArray::empty(shape, DType::I64);
  i64* out = result.data<i64>();
  const i64 stride = x.strides()[axis];
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bf16>) {
      result = argmax(x.to(DType::F32), axis, true);
    } else {
      const T* in = x.data<T>();
      const auto nest = makeLoopNest<2>(shape, {result.strides(), x.strides()});
      forEachRow(nest, [&](const auto& offsets, i64 count, const auto& strides) {
        for (i64 k = 0; k < count; ++k) {
          const T* first = in + offsets[1] + k * strides[1];
          i64 best = 0;
          for (i64 i = 1; i < size; ++i) {
            const T v = first[i * stride], top = first[best * stride];
            if (v > top || (v != v && top == top)) best = i;
          }
          out[offsets[0] + k * strides[0]] = best;
        }
      });
    }
  });
  if (keepDims) return result;
  shape.erase(axis);
  return result.reshape(shape);
}

NDArray sumTo(const NDArray& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (shape.rank() > x.rank() || broadcastShapes(x.shape(), shape, "sumTo") != x.shape()) {
    throw ShapeError("sumTo", toString(shape) + " does not broadcast to " + toString(x.shape()));
  }
  std::vector<int> axes;
  const int added = x.rank() - shape.rank();
  for (int i = 0; i < x.rank(); ++i) {
    if (i < added || (shape[i - added] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  }
  if (axes.empty()) return x.reshape(shape);
  return reduce(Reduction::Sum, x, axes, true, "sumTo").reshape(shape);
}

double squaredNorm(const NDArray& x) {
  const NDArray dense = x.isDense(x.order()) ? x : x.contiguous();
  double total = 0;
  dispatch(dense.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T>) {
      const T* in = dense.data<T>();
      const i64 count = dense.numel(), blocks = (count + blockElements - 1) / blockElements;
      std::vector<double> partial(static_cast<std::size_t>(blocks));
      parallelFor(blocks, 1, [&](i64 begin, i64 end) {
        for (i64 b = begin; b < end; ++b) {
          double part[8] = {};
          const i64 first = b * blockElements, last = std::min(count, first + blockElements);
          i64 i = first;
          for (; i + 8 <= last; i += 8) {
            for (int k = 0; k < 8; ++k) part[k] += static_cast<double>(in[i + k]) * static_cast<double>(in[i + k]);
          }
          for (; i < last; ++i) part[0] += static_cast<double>(in[i]) * static_cast<double>(in[i]);
          for (int k = 1; k < 8; ++k) part[0] += part[k];
          partial[static_cast<std::size_t>(b)] = part[0];
        }
      });
      for (const double part : partial) total += part;
    } else {
      throw DtypeError("squaredNorm", "x is " + std::string(name(x.dtype())) + ", expected f32 or f64");
    }
  });
  return total;
}

}  // namespace ember::core
