#include <ember/core/kernels/Epilogue.h>

#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>
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
