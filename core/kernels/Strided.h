#pragma once
#include <algorithm>
#include <array>
#include <initializer_list>

#include <ember/core/NDArray.h>
#include <ember/core/Threads.h>

/// The loops under every elementwise kernel: K operands of one shape with strides of their own, walked in memory order.
///
/// A Nest orders the axes by the strides of operand 0 (the result) and joins neighbours that lie evenly spaced in all
/// operands, so dense operands of equal strides become one flat loop, and a vector per channel against channels-last
/// data a loop over rows. forEachTile hands the two innermost loops to the kernel as one tile and cuts the rest among threads.
namespace ember::core {

/// Elements below which a second thread costs more than it brings.
inline constexpr i64 elementwiseGrain = 32768;

template <int K> struct Nest {
  Dims sizes;                          ///< outermost first; rank at least 2
  std::array<Strides, K> strides;      ///< in elements, one for each operand
  int rank() const noexcept { return sizes.rank(); }
  i64 columns() const noexcept { return sizes[rank() - 1]; }
  i64 rows() const noexcept { return sizes[rank() - 2]; }
  i64 rowStride(int operand) const noexcept { return strides[static_cast<std::size_t>(operand)][rank() - 2]; }
  i64 columnStride(int operand) const noexcept { return strides[static_cast<std::size_t>(operand)][rank() - 1]; }
};

/// A part of the two inner loops: `rows` times `columns` elements, operand k beginning at its element offset[k].
template <int K> struct Tile {
  std::array<i64, K> offset;
  i64 rows, columns;
};

/// Strides of x when broadcast to `shape`: 0 on axes that repeat.
inline Strides broadcastStrides(const NDArray& x, const Shape& shape) {
  Strides strides = Strides::filled(shape.rank(), 0);
  const int added = shape.rank() - x.rank();
  for (int i = 0; i < x.rank(); ++i) {
    if (x.shape()[i] != 1) strides[added + i] = x.strides()[i];
  }
  return strides;
}

template <int K> Nest<K> makeNest(const Shape& shape, const std::array<Strides, K>& strides) {
  std::array<int, Dims::maxRank> axes{};
  int count = 0;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1) continue;
    // Insertion by falling stride of the result; equal strides keep their logical order.
    int place = count++;
    for (; place > 0 && strides[0][axes[static_cast<std::size_t>(place - 1)]] < strides[0][i]; --place) {
      axes[static_cast<std::size_t>(place)] = axes[static_cast<std::size_t>(place - 1)];
    }
    axes[static_cast<std::size_t>(place)] = i;
  }
  Nest<K> nest;
  for (int i = 0; i < count; ++i) {
    const int axis = axes[static_cast<std::size_t>(i)];
    const int last = nest.sizes.rank() - 1;
    bool joins = last >= 0;
    for (const Strides& s : strides) {
      const auto operand = static_cast<std::size_t>(&s - strides.data());
      joins = joins && nest.strides[operand][last] == s[axis] * shape[axis];
    }
    if (joins) {
      nest.sizes[last] *= shape[axis];
    } else {
      nest.sizes.push(shape[axis]);
    }
    for (std::size_t operand = 0; operand < K; ++operand) {
      if (!joins) nest.strides[operand].push(0);
      nest.strides[operand][nest.sizes.rank() - 1] = strides[operand][axis];
    }
  }
  while (nest.sizes.rank() < 2) {
    nest.sizes.insert(0, 1);
    for (Strides& s : nest.strides) s.insert(0, 0);
  }
  return nest;
}

template <int K, class F> void forEachTileIn(const Nest<K>& nest, i64 begin, i64 end, F&& f) {
  const i64 columns = nest.columns(), rows = nest.rows();
  const int inner = nest.rank() - 2;
  while (begin < end) {
    const i64 column = begin % columns, row = begin / columns % rows;
    i64 plane = begin / columns / rows;
    Tile<K> tile{};
    for (std::size_t k = 0; k < K; ++k) tile.offset[k] = row * nest.strides[k][inner] + column * nest.strides[k][inner + 1];
    for (int axis = inner - 1; axis >= 0; --axis) {
      const i64 index = plane % nest.sizes[axis];
      plane /= nest.sizes[axis];
      for (std::size_t k = 0; k < K; ++k) tile.offset[k] += index * nest.strides[k][axis];
    }
    // Whole rows together; a range that begins or ends inside a row gets that piece alone.
    const i64 wholeRows = column == 0 ? std::min(rows - row, (end - begin) / columns) : 0;
    tile.rows = std::max<i64>(wholeRows, 1);
    tile.columns = wholeRows > 0 ? columns : std::min(columns - column, end - begin);
    f(tile);
    begin += tile.rows * tile.columns;
  }
}

/// Calls f(tile) until every element is covered, in parallel above the grain.
template <int K, class F> void forEachTile(const Nest<K>& nest, F&& f) {
  i64 total = 1;
  for (const i64 size : nest.sizes) total *= size;
  parallelFor(total, elementwiseGrain, [&](i64 begin, i64 end) { forEachTileIn(nest, begin, end, f); });
}

/// Walks the positions of a few loops in order, from any of them on, with the offset that each has in K operands.
template <int K> class Odometer {
 public:
  Odometer(const Dims& sizes, const std::array<Strides, K>& strides, i64 start) : sizes_(sizes), strides_(strides) {
    position_ = Dims::filled(sizes.rank(), 0);
    for (int axis = sizes.rank() - 1; axis >= 0; --axis) {
      position_[axis] = start % sizes[axis];
      start /= sizes[axis];
      for (std::size_t k = 0; k < K; ++k) offset_[k] += position_[axis] * strides[k][axis];
    }
  }
  i64 offset(int operand) const noexcept { return offset_[static_cast<std::size_t>(operand)]; }
  /// After the last position comes the first again.
  void next() noexcept {
    for (int axis = sizes_.rank() - 1; axis >= 0; --axis) {
      for (std::size_t k = 0; k < K; ++k) offset_[k] += strides_[k][axis];
      if (++position_[axis] < sizes_[axis]) return;
      position_[axis] = 0;
      for (std::size_t k = 0; k < K; ++k) offset_[k] -= sizes_[axis] * strides_[k][axis];
    }
  }

 private:
  Dims sizes_, position_;
  std::array<Strides, K> strides_;
  std::array<i64, K> offset_{};
};

/// Whether axis 1 varies fastest and the others fall in order: channels last, be it dense or a slice of such an array.
inline bool liesChannelsLast(const NDArray& x) noexcept {
  if (x.rank() < 3) return false;
  if (x.isDense(MemoryOrder::RowMajor)) return false;
  if (x.isDense(MemoryOrder::ChannelsLast)) return true;
  if (x.size(1) == 1 || x.strides()[1] != 1) return false;
  i64 finer = x.size(1);
  for (int i = x.rank() - 1; i >= 0; --i) {
    if (i == 1 || x.shape()[i] == 1) continue;
    if (x.strides()[i] < finer) return false;
    finer = x.strides()[i] * x.shape()[i];
  }
  return true;
}

/// Memory order of a result: that of the first operand that is channels last, else row-major.
inline MemoryOrder resultOrder(std::initializer_list<const NDArray*> operands, int rank) noexcept {
  for (const NDArray* x : operands) {
    if (x->rank() == rank && liesChannelsLast(*x)) return MemoryOrder::ChannelsLast;
  }
  return MemoryOrder::RowMajor;
}

/// x itself, or x copied into `order` where it is whole but lies in the other order: transposing in blocks beats striding.
inline NDArray alignedOperand(const NDArray& x, const Shape& shape, MemoryOrder order) {
  const MemoryOrder other = order == MemoryOrder::RowMajor ? MemoryOrder::ChannelsLast : MemoryOrder::RowMajor;
  return x.shape() == shape && x.isDense(other) ? x.contiguous(order) : x;
}

}  // namespace ember::core
