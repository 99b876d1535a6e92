#pragma once
#include <algorithm>
#include <bit>
#include <numeric>
#include <vector>

#include <ember/core/NDArray.h>
#include <ember/core/kernels/SimdRun.h>

/// Shared by the three batch-norm sources: how [M rows, C channels] in memory is cut into rows and blocks, and the
/// loads and stores of the element types.
namespace ember::core::batchnorm {

#if defined(__clang__)
#define EMBER_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define EMBER_INDEPENDENT _Pragma("GCC ivdep")
#endif

/// Few channels make rows too short for vectors, so `fold` rows count as one wide row, whose lane j belongs to channel
/// j % C. The rows that do not fill a wide one are left at the end as a shorter row.
struct Rows {
  i64 channels = 0, fold = 1, width = 0;
  i64 count = 0;      ///< full wide rows
  i64 restWidth = 0;  ///< elements after them
  i64 perBlock = 1, blocks = 0;

  explicit Rows(const NDArray& x) : channels(x.size(1)) {
    constexpr i64 lanes = 16, wide = 128;
    if (channels < wide) fold = lanes / std::gcd(channels, lanes);
    width = channels * fold;
    count = x.numel() / std::max<i64>(width, 1);
    restWidth = x.numel() - count * width;
    // Blocks depend on the shape alone. 256 rows keep f32 sums exact enough; small inputs get blocks for many threads.
    perBlock = std::clamp<i64>((count + 63) / 64, 32, 256);
    blocks = (count + perBlock - 1) / perBlock;
  }
  i64 rowsOf(i64 block) const { return std::min(perBlock, count - block * perBlock); }
  i64 offsetOf(i64 block) const { return block * perBlock * width; }
  i64 restOffset() const { return count * width; }
  /// Blocks that are worth a thread of their own.
  i64 grain() const { return std::max<i64>(1, 16384 / std::max<i64>(1, perBlock * width)); }
};

/// Type of the arithmetic on elements of type S.
template <class S>
struct ArithmeticOf {
  using Type = S;
};
template <>
struct ArithmeticOf<bf16> {
  using Type = float;
};
template <class S>
using Arithmetic = typename ArithmeticOf<S>::Type;

EMBER_INLINE float load(float v) { return v; }
EMBER_INLINE double load(double v) { return v; }
EMBER_INLINE float load(bf16 v) { return std::bit_cast<float>(static_cast<u32>(v.bits) << 16); }
EMBER_INLINE void store(float& to, float v) { to = v; }
EMBER_INLINE void store(double& to, double v) { to = v; }
EMBER_INLINE void store(bf16& to, float v) {
  // bf16(float) again, in a form that vectorises: round to nearest even, NaN stays NaN.
  const u32 bits = std::bit_cast<u32>(v);
  const u32 rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  to.bits = static_cast<std::uint16_t>(v == v ? rounded : (bits >> 16) | 0x40u);
}

/// Per-channel constants, rounded to T and repeated over a wide row.
template <class T>
std::vector<T> spread(const std::vector<double>& perChannel, const Rows& rows) {
  std::vector<T> wide(static_cast<std::size_t>(rows.width));
  const std::size_t c = perChannel.size();
  for (std::size_t j = 0; j < wide.size(); ++j) wide[j] = static_cast<T>(perChannel[j % c]);
  return wide;
}

/// Adds the lanes of each channel, in order.
inline std::vector<double> foldLanes(const std::vector<double>& lanes, const Rows& rows) {
  std::vector<double> sums(static_cast<std::size_t>(rows.channels), 0.0);
  for (std::size_t j = 0; j < lanes.size(); ++j) sums[j % sums.size()] += lanes[j];
  return sums;
}

/// The values of an f32 or f64 parameter [C], or `absent` C times if it is undefined.
inline std::vector<double> valuesOr(const NDArray& parameter, double absent, i64 channels) {
  if (parameter.defined()) return parameter.toVector<double>();
  return std::vector<double>(static_cast<std::size_t>(channels), absent);
}

/// Calls f with a zero of the element type of x; the three callers take floating types only.
template <class F>
void forFloating(const NDArray& x, F&& f) {
  if (x.dtype() == DType::F64) return f(double{});
  if (x.dtype() == DType::BF16) return f(bf16{});
  f(float{});
}

/// Throws ShapeError or DtypeError unless x is a floating [N, C, ...] with C >= 1.
void checkInput(const NDArray& x, const char* op);
/// As checkInput, and ValueError if x has no elements.
void checkStatisticsInput(const NDArray& x, const char* op);

}  // namespace ember::core::batchnorm
