#pragma once
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include <ember/core/NDArray.h>

/// Shared by the batch-norm sources: how [M rows, C channels] in memory is cut into rows and blocks, and constants and
/// sums of lanes.
namespace ember::core::batchnorm {

/// Few channels make rows too short, and odd counts do not fill vectors, so `fold` rows count as one wide row, whose
/// lane j belongs to channel j % C. The rows that do not fill a wide one are left at the end as a shorter row.
struct Rows {
  i64 channels = 0, fold = 1, width = 0;  ///< width is a multiple of 32
  i64 count = 0;                          ///< full wide rows
  i64 restWidth = 0;                      ///< elements after them
  i64 perBlock = 1, blocks = 0;

  explicit Rows(const NDArray& x) : channels(x.size(1)) {
    const i64 lanes = channels < 128 ? 64 : 32;
    fold = lanes / std::gcd(channels, lanes);
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
  /// What PaddedRest holds.
  Rows oneRow() const {
    Rows one = *this;
    one.count = one.blocks = one.perBlock = 1;
    one.restWidth = 0;
    return one;
  }
  /// Blocks that are worth a thread of their own.
  i64 grain() const { return std::max<i64>(1, 16384 / std::max<i64>(1, perBlock * width)); }
};

/// Constants of the lanes of a wide row, a few for each channel: constant k stands at [k], rounded to T.
template <class T>
class WideConstants {
 public:
  WideConstants(const Rows& rows, int constants)
      : channels_(rows.channels),
        width_(rows.width),
        values_(new T[static_cast<std::size_t>(constants * rows.width)]) {}
  const T* operator[](int k) const { return values_.get() + k * width_; }
  /// A NaN becomes the quiet one without payload.
  void set(int k, i64 channel, double value) {
    T* lane = values_.get() + k * width_ + channel;
    const T rounded = value == value ? static_cast<T>(value) : std::numeric_limits<T>::quiet_NaN();
    for (i64 j = channel; j < width_; j += channels_, lane += channels_) *lane = rounded;
  }

 private:
  i64 channels_, width_;
  std::unique_ptr<T[]> values_;
};

/// Adds the lanes of each channel to `sums` [channels], in order.
inline void foldLanes(const double* lanes, const Rows& rows, double* sums) {
  for (i64 j = 0; j < rows.width; j += rows.channels) {
    for (i64 c = 0; c < rows.channels; ++c) sums[c] += lanes[j + c];
  }
}

/// The values of an f32 or f64 array [C], which must stay, by channel, or `absent` if it is undefined.
class ChannelValues {
 public:
  explicit ChannelValues(const NDArray& values, double absent = 0) : absent_(absent) {
    if (!values.defined()) return;
    if (!values.isDense()) dense_ = values.contiguous();
    (values.dtype() == DType::F64 ? at64_ : at32_) = dense_.defined() ? dense_.raw() : values.raw();
  }
  double operator[](i64 channel) const {
    if (at64_) return static_cast<const double*>(at64_)[channel];
    return at32_ ? static_cast<double>(static_cast<const float*>(at32_)[channel]) : absent_;
  }

 private:
  NDArray dense_;
  const void *at32_ = nullptr, *at64_ = nullptr;
  double absent_;
};

/// Calls f with a zero of the element type of x; the three callers take floating types only.
template <class F>
void forFloating(const NDArray& x, F&& f) {
  if (x.dtype() == DType::F64) return f(double{});
  if (x.dtype() == DType::BF16) return f(bf16{});
  f(float{});
}

/// The shorter row at the end as a full one, so that the loops need no other form. Of no array it is empty.
template <class S>
struct PaddedRest {
  std::vector<S> row;

  PaddedRest(const S* from, const Rows& rows) {
    if (!from) return;
    row.resize(static_cast<std::size_t>(rows.width));
    std::copy_n(from + rows.restOffset(), rows.restWidth, row.begin());
  }
  void copyTo(S* to, const Rows& rows) const { std::copy_n(row.begin(), rows.restWidth, to + rows.restOffset()); }
};

/// Whether an output is too large for what follows to find it in the cache, and lies where vectors can be streamed to.
template <class S>
bool worthStreaming(const S* to, const Rows& rows) {
  constexpr std::size_t large = std::size_t{4} << 20;
  return static_cast<std::size_t>(rows.count * rows.width) * sizeof(S) >= large &&
         reinterpret_cast<std::uintptr_t>(to) % 64 == 0 && rows.width * static_cast<i64>(sizeof(S)) % 64 == 0;
}

/// Throws ShapeError or DtypeError unless x is a floating [N, C, ...] with C >= 1.
void checkInput(const NDArray& x, const char* op);
/// As checkInput, and ValueError if x has no elements.
void checkStatisticsInput(const NDArray& x, const char* op);

}  // namespace ember::core::batchnorm
