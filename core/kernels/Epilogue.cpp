#include <ember/core/kernels/Epilogue.h>

#include <algorithm>

#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/Fold.h>
#include <ember/core/kernels/MapDense.h>

namespace ember::core {
namespace {

/// x > 0 ? x : slope·x, without touching NaN; slope 0 gives 0, not -0 or infinity·0.
template <class T>
struct Kink {
  T slope;
  EMBER_INLINE T operator()(T v) const { return v > T(0) ? v : slope * v; }
};
template <class T>
struct Cut {
  EMBER_INLINE T operator()(T v) const { return v <= T(0) ? T(0) : v; }
};
struct Same {
  template <class T>
  EMBER_INLINE T operator()(T v) const {
    return v;
  }
};

template <class T, class F>
void pass(T* y, const T* residual, i64 count, F f) {
  parallelFor(count, elementwiseGrain, [&](i64 begin, i64 end) {
    simd::run([=]() EMBER_SIMD_BODY {
      if (residual) {
        EMBER_NO_ALIAS for (i64 i = begin; i < end; ++i) y[i] = f(y[i] + residual[i]);
      } else {
        EMBER_NO_ALIAS for (i64 i = begin; i < end; ++i) y[i] = f(y[i]);
      }
    });
  });
}

template <class T>
void finishAs(const NDArray& y, const NDArray& residual, const FusedAct& act) {
  const T* added = residual.defined() ? residual.data<T>() : nullptr;
  if (act.kind == FusedAct::Kind::Relu) {
    pass(y.data<T>(), added, y.numel(), Cut<T>{});
  } else if (act.kind == FusedAct::Kind::LeakyRelu) {
    pass(y.data<T>(), added, y.numel(), Kink<T>{static_cast<T>(act.slope)});
  } else if (added) {
    pass(y.data<T>(), added, y.numel(), Same{});
  }
}

template <class T, class F>
void passRows(T* y, const T* bias, i64 rows, i64 columns, F f) {
  parallelFor(rows, std::max<i64>(1, elementwiseGrain / std::max<i64>(1, columns)), [&](i64 begin, i64 end) {
    simd::run([=]() EMBER_SIMD_BODY {
      for (i64 row = begin; row < end; ++row) {
        T* at = y + row * columns;
        EMBER_NO_ALIAS for (i64 j = 0; j < columns; ++j) at[j] = f(at[j] + bias[j]);
      }
    });
  });
}

template <class T>
void finishRowsAs(const NDArray& y, const NDArray& bias, const FusedAct& act) {
  const i64 columns = y.size(1);
  if (act.kind == FusedAct::Kind::Relu) {
    passRows(y.data<T>(), bias.data<T>(), y.size(0), columns, Cut<T>{});
  } else if (act.kind == FusedAct::Kind::LeakyRelu) {
    passRows(y.data<T>(), bias.data<T>(), y.size(0), columns, Kink<T>{static_cast<T>(act.slope)});
  } else {
    passRows(y.data<T>(), bias.data<T>(), y.size(0), columns, Same{});
  }
}

/// A part of the columns of actBackwardRows. Rows are summed where the pass has just left them in the cache.
template <class T>
EMBER_INLINE void actBackwardColumns(T* g, const T* dy, const T* y, T* sum, i64 rows, i64 columns, i64 first, i64 last,
                                     const FusedAct& act) {
  constexpr i64 chunk = 64, together = 32;
  const T slope = static_cast<T>(act.slope);
  const bool cuts = act.kind == FusedAct::Kind::Relu;
  for (i64 start = first; start < last; start += chunk) {
    const i64 width = std::min(chunk, last - start);
    double total[chunk] = {};
    for (i64 top = 0; top < rows; top += together) {
      const i64 count = std::min(together, rows - top), at = top * columns + start;
      for (i64 row = 0; !act.none() && row < count; ++row) {
        T* to = g + at + row * columns;
        const T *gradient = dy + at + row * columns, *value = y + at + row * columns;
        if (cuts) {
          EMBER_NO_ALIAS for (i64 j = 0; j < width; ++j) to[j] = value[j] > T(0) ? gradient[j] : T(0);
        } else {
          EMBER_NO_ALIAS for (i64 j = 0; j < width; ++j) to[j] = gradient[j] * (value[j] > T(0) ? T(1) : slope);
        }
      }
      foldRows<SumFold<T>>(total, g + at, count, columns, width, 1);
    }
    for (i64 j = 0; j < width; ++j) sum[start + j] = static_cast<T>(total[j]);
  }
}

template <class T>
void actBackwardRowsAs(const RowGradient& result, const NDArray& dy, const NDArray& y, const FusedAct& act) {
  const i64 rows = dy.size(0), columns = dy.size(1);
  T *g = result.g.data<T>(), *sum = result.sum.data<T>();
  const T *gradient = dy.data<T>(), *value = y.defined() ? y.data<T>() : nullptr;
  // Parts begin at cache lines.
  constexpr i64 line = 64 / static_cast<i64>(sizeof(T));
  const i64 lines = (columns + line - 1) / line;
  parallelFor(lines, std::max<i64>(1, elementwiseGrain / std::max<i64>(1, rows * line)), [&](i64 begin, i64 end) {
    simd::run([=]() EMBER_SIMD_BODY {
      actBackwardColumns(g, gradient, value, sum, rows, columns, begin * line, std::min(end * line, columns), act);
    });
  });
}

/// The program may write into memory of its own at any time.
bool keepsMark(const NDArray& x) {
  return !x.storage()->external() && (x.isDense(MemoryOrder::RowMajor) || x.isDense(MemoryOrder::ChannelsLast));
}

/// Of the part of the storage that the array covers.
u64 finiteKey(const NDArray& x) {
  return (static_cast<u64>(x.offset()) * 31 + static_cast<u64>(x.numel())) * 0x9e3779b97f4a7c15 + 0xf171;
}

}  // namespace

void finish(const NDArray& y, const NDArray& residual, const FusedAct& act) {
  if (residual.defined() && residual.shape() != y.shape()) {
    throw ShapeError("epilogue", "residual is " + toString(residual.shape()) + ", the result " + toString(y.shape()));
  }
  const NDArray added = residual.defined() ? residual.contiguous(y.order()) : residual;
  if (y.dtype() == DType::F64) {
    finishAs<double>(y, added, act);
  } else {
    finishAs<float>(y, added, act);
  }
}

void finishRows(const NDArray& y, const NDArray& bias, const FusedAct& act) {
  if (!bias.defined()) return finish(y, {}, act);
  if (y.dtype() == DType::F64) {
    finishRowsAs<double>(y, bias, act);
  } else {
    finishRowsAs<float>(y, bias, act);
  }
}

NDArray actBackward(const NDArray& dy, const NDArray& y, const FusedAct& act, bool overwrite) {
  if (act.none()) return dy;
  const MemoryOrder order = y.order();
  if (!overwrite || !dy.isDense(order) || !y.isDense(order)) {
    return act.kind == FusedAct::Kind::Relu ? reluBackward(dy, y) : leakyReluBackward(dy, y, act.slope);
  }
  const auto inPlace = [&](auto zero) {
    using T = decltype(zero);
    T* gradient = dy.data<T>();
    const T* value = y.data<T>();
    const T slope = static_cast<T>(act.slope);
    const bool cuts = act.kind == FusedAct::Kind::Relu;
    parallelFor(dy.numel(), elementwiseGrain, [&](i64 begin, i64 end) {
      simd::run([=]() EMBER_SIMD_BODY {
        if (cuts) {
          EMBER_NO_ALIAS for (i64 i = begin; i < end; ++i) gradient[i] = value[i] > T(0) ? gradient[i] : T(0);
        } else {
          EMBER_NO_ALIAS for (i64 i = begin; i < end; ++i) gradient[i] *= value[i] > T(0) ? T(1) : slope;
        }
      });
    });
  };
  if (dy.dtype() == DType::F64) {
    inPlace(double{});
  } else {
    inPlace(float{});
  }
  return dy;
}

RowGradient actBackwardRows(const NDArray& dy, const NDArray& y, const FusedAct& act, bool overwrite) {
  const NDArray dense = dy.contiguous();
  const bool inPlace = act.none() || overwrite || dense.storage() != dy.storage();
  RowGradient result{inPlace ? dense : NDArray::empty(dy.shape(), dy.dtype()),
                     NDArray::empty({dy.size(1)}, dy.dtype())};
  if (dy.dtype() == DType::F64) {
    actBackwardRowsAs<double>(result, dense, y, act);
  } else {
    actBackwardRowsAs<float>(result, dense, y, act);
  }
  return result;
}

bool joinsExactly(const FusedAct& act, std::initializer_list<const NDArray*> operands) {
  // Its leaky relu of slope 0 is its relu: 0 where ours gives -0 and NaN.
  if (act.kind == FusedAct::Kind::LeakyRelu) return act.slope != 0;
  const auto finite = [](const NDArray* x) { return !x->defined() || knownFinite(*x); };
  return act.none() || std::all_of(operands.begin(), operands.end(), finite);
}

bool markedFinite(const NDArray& x) { return keepsMark(x) && x.storage()->derived(finiteKey(x)); }

bool knownFinite(const NDArray& x) {
  if (markedFinite(x)) return true;
  if (!allFinite(x)) return false;
  if (keepsMark(x)) markFinite(x);
  return true;
}

void markFinite(const NDArray& x) {
  static const auto* yes = new std::shared_ptr<Storage>(std::make_shared<Storage>(std::size_t{0}));
  x.storage()->setDerived(finiteKey(x), *yes);
}

}  // namespace ember::core
