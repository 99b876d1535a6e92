#pragma once
#include <ember/core/kernels/winograd/Isa.h>

/// The one-dimensional transforms of F(4, 3): a convolution of 6 values with 3 taps to 4 results takes 6 products,
///
///   y = A^T [ (G g) .* (B^T d) ]
///
/// with polynomials evaluated at 0, ±a, ±1/a, infinity; in two dimensions each is applied to columns, then to rows.
/// Points whose product is 1 save operations, and a = 2/3 gives the least error of all tried (relative rms against f64
/// at 64 channels: 6.1e-7; 5/8 and 3/2, oneDNN's points: 6.1e-7; 1 and 2, the textbook's: 1.4e-6).
namespace ember::core::winograd {

inline constexpr int tileSide = 4, patchSide = 6, frequencies = 36;

inline constexpr double pointA = 2.0 / 3, pointB = 3.0 / 2;
inline constexpr float a1 = static_cast<float>(pointA), a2 = static_cast<float>(pointA * pointA),
                       a3 = static_cast<float>(pointA * pointA * pointA);
inline constexpr float b1 = static_cast<float>(pointB), b2 = static_cast<float>(pointB * pointB),
                       b3 = static_cast<float>(pointB * pointB * pointB);
inline constexpr float squares = static_cast<float>(pointA * pointA + pointB * pointB);
// 1 / N(p), N(p) = product of p's differences to the other finite points.
inline constexpr float normA = static_cast<float>(1 / (2 * pointA * pointA * (pointA * pointA - pointB * pointB)));
inline constexpr float normB = static_cast<float>(1 / (2 * pointB * pointB * (pointB * pointB - pointA * pointA)));

/// What a line of `outs` results takes: all six points for 4, four and five of them for 2 and 3, the results that are
/// left at the end of an axis. The filters' transform is the same for all, for it evaluates them at points; what
/// depends on how many there are is in the transform of the input.
constexpr bool takes(int outs, int point) { return point < outs + 1 || point == 5; }

/// B^T: outs + 2 values of the input.
template <int outs>
struct InputLine {
  static constexpr int results = outs, taps = outs + 2;
  template <class V>
  static EMBER_INLINE void apply(const V (&d)[taps], V (&v)[6]) {
    if constexpr (outs == 4) {
      v[0] = (d[0] + d[4]) - squares * d[2];
      v[5] = (d[1] + d[5]) - squares * d[3];
      const V evenA = d[4] - b2 * d[2], oddA = d[3] - b2 * d[1];
      v[1] = evenA + a1 * oddA;
      v[2] = evenA - a1 * oddA;
      const V evenB = d[4] - a2 * d[2], oddB = d[3] - a2 * d[1];
      v[3] = evenB + b1 * oddB;
      v[4] = evenB - b1 * oddB;
    } else if constexpr (outs == 3) {
      v[0] = (d[0] - a1 * d[1]) + (b1 * d[3] - b2 * d[2]);
      v[1] = (b1 + a1) * ((d[3] - d[1]) + (a1 - b1) * d[2]);
      v[2] = (b1 - a1) * ((d[3] + d[1]) - (a1 + b1) * d[2]);
      v[3] = (2 * b1) * (d[3] - a2 * d[1]);
      v[5] = (d[4] + a1 * d[1]) - (b1 * d[3] + a2 * d[2]);
    } else {
      v[0] = d[0] - b2 * d[2];
      v[1] = (a2 - b2) * (d[2] + a1 * d[1]);
      v[2] = (a2 - b2) * (d[2] - a1 * d[1]);
      v[5] = d[3] - a2 * d[1];
    }
  }
};

/// A: `outs` values of the output's gradient.
template <int outs>
struct GradientLine {
  static constexpr int results = outs, taps = outs;
  template <class V>
  static EMBER_INLINE void apply(const V (&d)[taps], V (&v)[6]) {
    v[0] = d[0];
    v[5] = d[outs - 1];
    V evenA = d[0], oddA = d[1], evenB = d[0], oddB = d[1];
    if constexpr (outs > 2) evenA += a2 * d[2], evenB += b2 * d[2];
    if constexpr (outs > 3) oddA += a2 * d[3], oddB += b2 * d[3];
    v[1] = evenA + a1 * oddA;
    v[2] = evenA - a1 * oddA;
    v[3] = evenB + b1 * oddB;
    v[4] = evenB - b1 * oddB;
  }
};

/// A^T: `outs` results.
template <int outs, class V>
EMBER_INLINE void outputLine(const V (&m)[6], V (&y)[4]) {
  const V sumA = m[1] + m[2], differenceA = m[1] - m[2];
  if constexpr (outs == 4) {
    const V sumB = m[3] + m[4], differenceB = m[3] - m[4];
    y[0] = (m[0] + sumA) + sumB;
    y[1] = a1 * differenceA + b1 * differenceB;
    y[2] = a2 * sumA + b2 * sumB;
    y[3] = a3 * differenceA + (b3 * differenceB + m[5]);
  } else if constexpr (outs == 3) {
    y[0] = (m[0] + sumA) + m[3];
    y[1] = a1 * differenceA + b1 * m[3];
    y[2] = a2 * sumA + (b2 * m[3] + m[5]);
  } else {
    y[0] = m[0] + sumA;
    y[1] = a1 * differenceA + m[5];
  }
}

/// G: three taps of a filter.
template <class V>
EMBER_INLINE void filterLine(const V (&g)[3], V (&u)[6]) {
  u[0] = g[0];
  u[5] = g[2];
  const V evenA = normA * g[0] + (normA * a2) * g[2], evenB = normB * g[0] + (normB * b2) * g[2];
  u[1] = evenA + (normA * a1) * g[1];
  u[2] = evenA - (normA * a1) * g[1];
  u[3] = evenB + (normB * b1) * g[1];
  u[4] = evenB - (normB * b1) * g[1];
}

/// G^T: the gradient of three taps.
template <class V>
EMBER_INLINE void tapsLine(const V (&u)[6], V (&g)[3]) {
  const V sumA = normA * (u[1] + u[2]), sumB = normB * (u[3] + u[4]);
  g[0] = u[0] + (sumA + sumB);
  g[1] = (normA * a1) * (u[1] - u[2]) + (normB * b1) * (u[3] - u[4]);
  g[2] = a2 * sumA + (b2 * sumB + u[5]);
}

}  // namespace ember::core::winograd
