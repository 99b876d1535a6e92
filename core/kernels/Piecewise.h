#pragma once
#include <limits>

#include <ember/core/NDArray.h>

namespace ember::core {

/// A function of three pieces, on f32 and f64: lines on the outside, a parabola between.
///
///   f(x) = below0 + below1·x               where x < low
///          inside0 + inside1·x + inside2·x²   between
///          above0 + above1·x               where x > high
///
/// The bounds themselves lie inside if `closed`, else outside. NaN stays NaN; at an infinity a piece without slope
/// gives its constant.
struct Pieces {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  double below0 = 0, below1 = 0;
  double inside0 = 0, inside1 = 0, inside2 = 0;
  double above0 = 0, above1 = 0;
  bool closed = true;

  Pieces derivative() const { return {low, high, below1, 0, inside1, 2 * inside2, 0, above1, 0, closed}; }
};

NDArray piecewise(const NDArray& x, const Pieces&, const char* op);
/// dy·f'(x) in one pass.
NDArray timesPiecewiseSlope(const NDArray& dy, const NDArray& x, const Pieces& f, const char* op);

}  // namespace ember::core
