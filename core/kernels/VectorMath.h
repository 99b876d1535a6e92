#pragma once
#include <bit>
#include <cmath>

#include <ember/core/DType.h>
#include <ember/core/kernels/SimdRun.h>

/// Elementary functions without branches or calls, so that loops over f32 become vector code. Each is within 2 ulp of the
/// true value (sigmoid and erf 3, expm1 4, erfc 10 where it cancels near 1; tested over their ranges); infinities, NaN and gradual
/// underflow come out as from std. f64 uses std.
/// Polynomials: S. Moshier, Cephes mathematical library, single precision.
namespace ember::core::vmath {

/// exp(r) - 1 for |r| <= ln 2 / 2.
EMBER_INLINE float expm1Near(float r) {
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return p * r * r + r;
}

/// x = n·ln 2 + r with |r| <= ln 2 / 2; exp(x) = 2^n · exp(r). The factor is applied in two halves, since 2^128 and 2^-150 are
/// no normal floats.
EMBER_INLINE float exp(float x) {
  x = x > 89.0f ? 89.0f : x;
  x = x < -104.0f ? -104.0f : x;
  constexpr float magic = 12582912.0f;  // 1.5·2^23: adding it rounds to an integer, kept in the low bits
  const float shifted = x * 1.44269504088896341f + magic;
  const float n = shifted - magic;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  const float value = expm1Near(r) + 1.0f;
  const i32 exponent = static_cast<i32>(std::bit_cast<u32>(shifted) - std::bit_cast<u32>(magic));
  const i32 half = exponent >> 1;
  const float first = std::bit_cast<float>(static_cast<u32>(half + 127) << 23);
  const float second = std::bit_cast<float>(static_cast<u32>(exponent - half + 127) << 23);
  return value * first * second;
}
EMBER_INLINE double exp(double x) { return std::exp(x); }

/// exp(x) - 1, without cancelling near 0.
EMBER_INLINE float expm1(float x) {
  const float near = expm1Near(x), far = exp(x) - 1.0f;
  return ((x < 0.34f) & (x > -0.34f)) ? near : far;
}
EMBER_INLINE double expm1(double x) { return std::expm1(x); }

/// x = 2^n · m with m in [sqrt(1/2), sqrt(2)); log(x) = n·ln 2 + log(m).
EMBER_INLINE float log(float x) {
  const bool small = x < 1.17549435e-38f;  // denormals are scaled up by 2^23 (so are 0 and negatives, settled at the end)
  const float scaled = small ? x * 8388608.0f : x;
  const u32 bits = std::bit_cast<u32>(scaled);
  float n = static_cast<float>(static_cast<i32>(bits >> 23) - 126) - (small ? 23.0f : 0.0f);
  float m = std::bit_cast<float>((bits & 0x007fffffu) | 0x3f000000u);  // [0.5, 1)
  const bool low = m < 0.707106781186547524f;
  n = low ? n - 1.0f : n;
  m = (low ? m + m : m) - 1.0f;
  const float z = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  float value = p * m * z - n * 2.12194440e-4f - 0.5f * z + m + n * 0.693359375f;
  value = x == std::bit_cast<float>(0x7f800000u) ? x : value;
  value = x == 0.0f ? std::bit_cast<float>(0xff800000u) : value;
  return x >= 0.0f ? value : std::bit_cast<float>(0x7fc00000u);
}
EMBER_INLINE double log(double x) { return std::log(x); }

/// A polynomial near 0, where 1 - 2/(exp(2x)+1) would cancel.
EMBER_INLINE float tanh(float x) {
  const float magnitude = x < 0.0f ? -x : x;
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = p * z * x + x;
  const float tail = 1.0f - 2.0f / (exp(magnitude + magnitude) + 1.0f);
  const float far = x < 0.0f ? -tail : tail;
  return magnitude < 0.625f ? near : far;
}
EMBER_INLINE double tanh(double x) { return std::tanh(x); }

/// 1 - erf(x) for x >= 1: exp(-x²)/x times a polynomial in 1/x². x² splits into an exact part and the rest, since exp would
/// multiply its rounding error by x².
EMBER_INLINE float erfcTail(float x) {
  x = x > 30.0f ? 30.0f : x;  // 0 in f32 from 10.1 on; at infinity, and where x + head overflows, the rest would be NaN
  const float head = std::bit_cast<float>(std::bit_cast<u32>(x) & 0xfffff000u);
  const float z = exp(-head * head) * exp(-(x - head) * (x + head));
  const float q = 1.0f / x, y = q * q;
  float p = 2.326819970068386e-2f;
  p = p * y - 1.387039388740657e-1f;
  p = p * y + 3.687424674597105e-1f;
  p = p * y - 5.824733027278666e-1f;
  p = p * y + 6.210004621745983e-1f;
  p = p * y - 4.944515323274145e-1f;
  p = p * y + 3.404879937665872e-1f;
  p = p * y - 2.741127028184656e-1f;
  p = p * y + 5.638259427386472e-1f;
  float r = -1.047766399936249e+1f;
  r = r * y + 1.297719955372516e+1f;
  r = r * y - 7.495518717768503e+0f;
  r = r * y + 2.921019019210786e+0f;
  r = r * y - 1.015265279202700e+0f;
  r = r * y + 4.218463358204948e-1f;
  r = r * y - 2.820767439740514e-1f;
  r = r * y + 5.641895067754075e-1f;
  return z * q * (x < 2.0f ? p : r);
}
EMBER_INLINE float erfNear(float x) {
  const float z = x * x;
  float p = 7.853861353153693e-5f;
  p = p * z - 8.010193625184903e-4f;
  p = p * z + 5.188327685732524e-3f;
  p = p * z - 2.685381193529856e-2f;
  p = p * z + 1.128358514861418e-1f;
  p = p * z - 3.761262582423300e-1f;
  p = p * z + 1.128379165726710e+0f;
  return p * x;
}
/// The tail is taken at 1 or beyond, whatever x is: a lane's unused branch must not divide by 0.
EMBER_INLINE float erfc(float x) {
  const float magnitude = x < 0.0f ? -x : x;
  const float tail = erfcTail(magnitude < 1.0f ? 1.0f : magnitude);
  return magnitude < 1.0f ? 1.0f - erfNear(x) : (x < 0.0f ? 2.0f - tail : tail);
}
EMBER_INLINE float erf(float x) {
  const float magnitude = x < 0.0f ? -x : x;
  const float tail = 1.0f - erfcTail(magnitude < 1.0f ? 1.0f : magnitude);
  return magnitude < 1.0f ? erfNear(x) : (x < 0.0f ? -tail : tail);
}
EMBER_INLINE double erfc(double x) { return std::erfc(x); }
EMBER_INLINE double erf(double x) { return std::erf(x); }

template <class T> EMBER_INLINE T sigmoid(T x) { return T(1) / (T(1) + exp(-x)); }

}  // namespace ember::core::vmath
