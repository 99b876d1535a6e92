#include <type_traits>

#include <ember/core/kernels/Convert.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/MapDense.h>
#include <ember/core/kernels/VectorMath.h>

namespace ember::core {
namespace {

struct Neg {
  template <class T> EMBER_INLINE T operator()(T x) const {
    // Integers wrap: negating the smallest one would overflow in its own type.
    if constexpr (std::is_integral_v<T>) return static_cast<T>(u64{0} - static_cast<u64>(x));
    else return -x;
  }
};
struct Abs {
  template <class T> EMBER_INLINE T operator()(T x) const {
    if constexpr (std::is_integral_v<T>) return x < T(0) ? Neg{}(x) : x;
    else return std::fabs(x);
  }
};
struct Sign {
  template <class T> EMBER_INLINE T operator()(T x) const {
    const auto sign = static_cast<T>((x > T(0)) - (x < T(0)));
    return x != x ? x : sign;
  }
};
struct Exp { template <class T> EMBER_INLINE T operator()(T x) const { return vmath::exp(x); } };
struct Log { template <class T> EMBER_INLINE T operator()(T x) const { return vmath::log(x); } };
struct Expm1 { template <class T> EMBER_INLINE T operator()(T x) const { return vmath::expm1(x); } };
struct Sqrt { template <class T> EMBER_INLINE T operator()(T x) const { return std::sqrt(x); } };
struct Rsqrt { template <class T> EMBER_INLINE T operator()(T x) const { return T(1) / std::sqrt(x); } };
struct Reciprocal { template <class T> EMBER_INLINE T operator()(T x) const { return T(1) / x; } };
struct Square { template <class T> EMBER_INLINE T operator()(T x) const { return x * x; } };
struct Tanh { template <class T> EMBER_INLINE T operator()(T x) const { return vmath::tanh(x); } };
struct Sigmoid { template <class T> EMBER_INLINE T operator()(T x) const { return vmath::sigmoid(x); } };
struct Erf { template <class T> EMBER_INLINE T operator()(T x) const { return vmath::erf(x); } };
struct Floor { template <class T> EMBER_INLINE T operator()(T x) const { return std::floor(x); } };
struct Ceil { template <class T> EMBER_INLINE T operator()(T x) const { return std::ceil(x); } };
struct Round { template <class T> EMBER_INLINE T operator()(T x) const { return std::nearbyint(x); } };  // ties to even
struct Relu { template <class T> EMBER_INLINE T operator()(T x) const { return x <= T(0) ? T(0) : x; } };  // NaN passes
struct Gelu {
  // erfc keeps the left tail, where 1 + erf would cancel. From -64 on the result is 0, where -infinity · 0 would be NaN.
  template <class T> EMBER_INLINE T operator()(T x) const {
    const T bounded = x < T(-64) ? T(-64) : x;
    return T(0.5) * bounded * vmath::erfc(bounded * T(-0.70710678118654752440));
  }
};
struct GeluTanh {
  template <class T> EMBER_INLINE T operator()(T x) const {
    return T(0.5) * x * (T(1) + vmath::tanh(T(0.79788456080286535588) * (x + T(0.044715) * x * x * x)));
  }
};
struct Silu { template <class T> EMBER_INLINE T operator()(T x) const { return x / (T(1) + vmath::exp(-x)); } };
struct Softplus {
  template <class T> EMBER_INLINE T operator()(T x) const { return (x > T(0) ? x : T(0)) + std::log1p(std::exp(-std::fabs(x))); }
};

template <class F> NDArray mapNumbers(F f, const NDArray& x, const char* op) {
  switch (x.dtype()) {
    case DType::I64: return mapDense<i64>(x, f);
    case DType::I32: return mapDense<i32>(x, f);
    case DType::I8: return mapDense<i8>(x, f);
    case DType::U8: return mapDense<u8>(x, f);
    case DType::Bool: throwUnsupported(op, x, "numbers");
    default: return dispatchFloating(op, x, [&](auto zero) { return mapDense<decltype(zero)>(x, f); });
  }
}

template <class F> NDArray mapFloating(F f, const NDArray& x, const char* op) {
  return dispatchFloating(op, x, [&](auto zero) { return mapDense<decltype(zero)>(x, f); });
}

struct LeakyRelu {
  double slope;
  template <class T> EMBER_INLINE T operator()(T x) const { return x > T(0) ? x : static_cast<T>(slope) * x; }
};

template <class T> struct Clamp {
  T low, high;
  EMBER_INLINE T operator()(T x) const {
    const T raised = x < low ? low : x;  // a comparison with NaN is false, so NaN passes both
    return raised > high ? high : raised;
  }
};

}  // namespace

NDArray unary(Unary kind, const NDArray& x, const char* op) {
  if (x.dtype() == DType::BF16) return unary(kind, x.to(DType::F32), op).to(DType::BF16);
  switch (kind) {
    case Unary::Neg: return mapNumbers(Neg{}, x, op);
    case Unary::Abs: return mapNumbers(Abs{}, x, op);
    case Unary::Sign: return mapNumbers(Sign{}, x, op);
    case Unary::Exp: return mapFloating(Exp{}, x, op);
    case Unary::Log: return mapFloating(Log{}, x, op);
    case Unary::Log1p: return eachElement(x, std::log1p, std::log1p, op);
    case Unary::Expm1: return mapFloating(Expm1{}, x, op);
    case Unary::Sqrt: return mapFloating(Sqrt{}, x, op);
    case Unary::Rsqrt: return mapFloating(Rsqrt{}, x, op);
    case Unary::Reciprocal: return mapFloating(Reciprocal{}, x, op);
    case Unary::Square: return mapFloating(Square{}, x, op);
    case Unary::Sin: return eachElement(x, std::sin, std::sin, op);
    case Unary::Cos: return eachElement(x, std::cos, std::cos, op);
    case Unary::Tanh: return mapFloating(Tanh{}, x, op);
    case Unary::Sigmoid: return mapFloating(Sigmoid{}, x, op);
    case Unary::Erf: return mapFloating(Erf{}, x, op);
    case Unary::Floor: return mapFloating(Floor{}, x, op);
    case Unary::Ceil: return mapFloating(Ceil{}, x, op);
    case Unary::Round: return mapFloating(Round{}, x, op);
    case Unary::Relu: return mapFloating(Relu{}, x, op);
    case Unary::Gelu: return mapFloating(Gelu{}, x, op);
    case Unary::GeluTanh: return mapFloating(GeluTanh{}, x, op);
    case Unary::Silu: return mapFloating(Silu{}, x, op);
    case Unary::Softplus: break;
  }
  return mapFloating(Softplus{}, x, op);
}

NDArray eachElement(const NDArray& x, float (*f)(float), double (*g)(double), const char* op) {
  if (x.dtype() == DType::BF16) return eachElement(x.to(DType::F32), f, g, op).to(DType::BF16);
  const NDArray in = x.isDense(MemoryOrder::ChannelsLast) ? x : x.contiguous();
  const NDArray out = NDArray::emptyLike(in);
  const auto run = [&](const auto* from, auto* to, auto function) {
    parallelFor(in.numel(), elementwiseGrain / 8, [=](i64 begin, i64 end) {
      for (i64 i = begin; i < end; ++i) to[i] = function(from[i]);
    });
  };
  if (x.dtype() == DType::F64) {
    run(in.data<double>(), out.data<double>(), g);
  } else if (x.dtype() == DType::F32) {
    run(in.data<float>(), out.data<float>(), f);
  } else {
    throwUnsupported(op, x, "a floating type");
  }
  return out;
}

NDArray leakyRelu(const NDArray& x, double slope) {
  if (x.dtype() == DType::BF16) return leakyRelu(x.to(DType::F32), slope).to(DType::BF16);
  return mapFloating(LeakyRelu{slope}, x, "leakyRelu");
}

NDArray clamp(const NDArray& x, double low, double high) {
  if (low != low || high != high) throw ValueError("clamp", "a bound is NaN", {}, "use an infinity to leave a side open");
  if (x.dtype() == DType::BF16) return clamp(x.to(DType::F32), low, high).to(DType::BF16);
  if (x.dtype() == DType::Bool) throwUnsupported("clamp", x, "numbers");
  return dispatch(x.dtype(), [&](auto zero) -> NDArray {
    using T = decltype(zero);
    if constexpr (std::is_same_v<T, bf16> || std::is_same_v<T, bool>) {
      throwUnsupported("clamp", x, "numbers");
    } else {
      return mapDense<T>(x, Clamp<T>{convert<T>(low), convert<T>(high)});
    }
  });
}

}  // namespace ember::core
