#include <cmath>

#include <ember/core/kernels/MapDense.h>
#include <ember/core/kernels/Piecewise.h>
#include <ember/core/kernels/TimesSlope.h>

namespace ember::core {
namespace {

/// f in the element type. All three pieces are computed and one is taken, so the loop has no branches; infinite numbers
/// are made finite for the pieces without slope, where 0·inf would be NaN.
template <class T>
struct Function {
  T low, high, below0, below1, inside0, inside1, inside2, above0, above1;

  explicit Function(const Pieces& p)
      : low(static_cast<T>(p.low)),
        high(static_cast<T>(p.high)),
        below0(static_cast<T>(p.below0)),
        below1(static_cast<T>(p.below1)),
        inside0(static_cast<T>(p.inside0)),
        inside1(static_cast<T>(p.inside1)),
        inside2(static_cast<T>(p.inside2)),
        above0(static_cast<T>(p.above0)),
        above1(static_cast<T>(p.above1)) {
    constexpr T infinity = std::numeric_limits<T>::infinity();
    if (!p.closed) {  // x <= low is x < the next number
      low = std::nextafter(low, infinity);
      high = std::nextafter(high, -infinity);
    }
  }

  EMBER_INLINE T operator()(T x) const {
    const T below = below1 == T(0) ? below0 : below0 + below1 * x;
    const T above = above1 == T(0) ? above0 : above0 + above1 * x;
    const T curved = inside2 == T(0) ? inside1 : inside1 + inside2 * x;
    const T inside = curved == T(0) && x == x ? inside0 : inside0 + curved * x;
    const T left = x < low ? below : inside;
    return x > high ? above : left;
  }
};

template <class T>
struct TimesSlopeOf {
  Function<T> slope;
  EMBER_INLINE T operator()(T dy, T x) const { return dy * slope(x); }
};

}  // namespace

NDArray piecewise(const NDArray& x, const Pieces& f, const char* op) {
  return dispatchFloating(op, x, [&](auto zero) { return mapDense<decltype(zero)>(x, Function<decltype(zero)>(f)); });
}

NDArray timesPiecewiseSlope(const NDArray& dy, const NDArray& x, const Pieces& f, const char* op) {
  const Pieces slope = f.derivative();
  return timesSlopeOf(op, dy, x,
                      [&](auto zero) { return TimesSlopeOf<decltype(zero)>{Function<decltype(zero)>(slope)}; });
}

}  // namespace ember::core
