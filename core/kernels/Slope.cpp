// Backwards of the activations: the incoming gradient times the derivative, in one pass over memory.
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/TimesSlope.h>
#include <ember/core/kernels/VectorMath.h>

namespace ember::core {
namespace {

struct ReluSlope { template <class T> EMBER_INLINE T operator()(T dy, T y) const { return y > T(0) ? dy : T(0); } };
struct LeakyReluSlope {
  double slope;
  template <class T> EMBER_INLINE T operator()(T dy, T x) const { return x > T(0) ? dy : static_cast<T>(slope) * dy; }
};
struct SigmoidSlope { template <class T> EMBER_INLINE T operator()(T dy, T y) const { return dy * y * (T(1) - y); } };
struct TanhSlope { template <class T> EMBER_INLINE T operator()(T dy, T y) const { return dy * (T(1) - y * y); } };
struct GeluSlope {
  template <class T> EMBER_INLINE T operator()(T dy, T x) const {
    const T below = T(0.5) * vmath::erfc(x * T(-0.70710678118654752440));  // normal distribution function
    const T density = T(0.39894228040143267794) * vmath::exp(T(-0.5) * x * x);
    return dy * (below + x * density);
  }
};
struct GeluTanhSlope {
  template <class T> EMBER_INLINE T operator()(T dy, T x) const {
    constexpr T scale = T(0.79788456080286535588), cubic = T(0.044715);
    const T t = vmath::tanh(scale * (x + cubic * x * x * x));
    return dy * T(0.5) * (T(1) + t + x * (T(1) - t * t) * scale * (T(1) + T(3) * cubic * x * x));
  }
};
struct SiluSlope {
  template <class T> EMBER_INLINE T operator()(T dy, T x) const {
    const T s = vmath::sigmoid(x);
    return dy * s * (T(1) + x * (T(1) - s));
  }
};
struct SoftplusSlope { template <class T> EMBER_INLINE T operator()(T dy, T x) const { return dy * vmath::sigmoid(x); } };

template <class F> NDArray times(F f, const NDArray& dy, const NDArray& at, const char* op) {
  return timesSlopeOf(op, dy, at, [f](auto) { return f; });
}

}  // namespace

NDArray reluBackward(const NDArray& dy, const NDArray& y) { return times(ReluSlope{}, dy, y, "reluBackward"); }

NDArray leakyReluBackward(const NDArray& dy, const NDArray& x, double slope) {
  return times(LeakyReluSlope{slope}, dy, x, "leakyReluBackward");
}

NDArray timesSlope(Slope kind, const NDArray& dy, const NDArray& at) {
  switch (kind) {
    case Slope::Sigmoid: return times(SigmoidSlope{}, dy, at, "sigmoid");
    case Slope::Tanh: return times(TanhSlope{}, dy, at, "tanh");
    case Slope::Gelu: return times(GeluSlope{}, dy, at, "gelu");
    case Slope::GeluTanh: return times(GeluTanhSlope{}, dy, at, "gelu");
    case Slope::Silu: return times(SiluSlope{}, dy, at, "silu");
    case Slope::Softplus: break;
  }
  return times(SoftplusSlope{}, dy, at, "softplus");
}

}  // namespace ember::core
