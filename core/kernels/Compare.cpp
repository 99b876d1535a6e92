// Comparisons and the choice between two arrays.
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/MapPairs.h>

namespace ember::core {
namespace {

struct Equal { template <class T> EMBER_INLINE bool operator()(T a, T b) const { return a == b; } };
struct NotEqual { template <class T> EMBER_INLINE bool operator()(T a, T b) const { return a != b; } };
struct Less { template <class T> EMBER_INLINE bool operator()(T a, T b) const { return a < b; } };
struct LessEqual { template <class T> EMBER_INLINE bool operator()(T a, T b) const { return a <= b; } };

template <class T> NDArray compareAs(Compare kind, const NDArray& a, const NDArray& b, const char* op) {
  switch (kind) {
    case Compare::Equal: return mapPairs<bool, T>(op, a, b, Equal{});
    case Compare::NotEqual: return mapPairs<bool, T>(op, a, b, NotEqual{});
    case Compare::Less: return mapPairs<bool, T>(op, a, b, Less{});
    case Compare::LessEqual: return mapPairs<bool, T>(op, a, b, LessEqual{});
    case Compare::Greater: return mapPairs<bool, T>(op, b, a, Less{});
    case Compare::GreaterEqual: break;
  }
  return mapPairs<bool, T>(op, b, a, LessEqual{});
}

template <class T>
void chooseTile(const Nest<4>& nest, const Tile<4>& tile, T* out, const bool* condition, const T* a, const T* b) {
  const i64 rows = tile.rows, columns = tile.columns;
  const std::array<i64, 4> row{nest.rowStride(0), nest.rowStride(1), nest.rowStride(2), nest.rowStride(3)};
  const std::array<i64, 4> step{nest.columnStride(0), nest.columnStride(1), nest.columnStride(2), nest.columnStride(3)};
  const bool flat = step[0] == 1 && step[1] == 1 && step[2] == 1 && step[3] == 1;
  simd::run([=]() EMBER_SIMD_BODY {
    for (i64 r = 0; r < rows; ++r) {
      T* o = out + tile.offset[0] + r * row[0];
      const bool* c = condition + tile.offset[1] + r * row[1];
      const T* x = a + tile.offset[2] + r * row[2];
      const T* y = b + tile.offset[3] + r * row[3];
      if (flat) {
        EMBER_NO_ALIAS for (i64 i = 0; i < columns; ++i) o[i] = c[i] ? x[i] : y[i];
      } else {
        EMBER_NO_ALIAS for (i64 i = 0; i < columns; ++i) o[i * step[0]] = c[i * step[1]] ? x[i * step[2]] : y[i * step[3]];
      }
    }
  });
}

}  // namespace

NDArray compare(Compare kind, const NDArray& a, const NDArray& b, const char* op) {
  checkSameType(op, a, b);
  const DType wide = computeDtype(a.dtype());
  if (wide != a.dtype()) return compare(kind, a.to(wide), b.to(wide), op);
  return dispatchWide(wide, [&](auto zero) { return compareAs<decltype(zero)>(kind, a, b, op); });
}

NDArray where(const NDArray& condition, const NDArray& a, const NDArray& b, const char* op) {
  if (condition.dtype() != DType::Bool) {
    throw DtypeError(op, "the condition is " + std::string(name(condition.dtype())) + ", expected bool",
                     {{"condition", toString(condition.shape())}},
                     "compare it with something, or convert it with to(DType::Bool)");
  }
  checkSameType(op, a, b);
  const Shape shape = broadcastShapes(broadcastShapes(a.shape(), b.shape(), op), condition.shape(), op);
  const MemoryOrder order = resultOrder({&a, &b, &condition}, shape.rank());
  const NDArray c = alignedOperand(condition, shape, order);
  const NDArray x = alignedOperand(a, shape, order), y = alignedOperand(b, shape, order);
  NDArray out = NDArray::empty(shape, a.dtype(), order);
  const auto nest = makeNest<4>(
      shape, {out.strides(), broadcastStrides(c, shape), broadcastStrides(x, shape), broadcastStrides(y, shape)});
  dispatchSize(itemSize(a.dtype()), [&](auto zero) {
    using T = decltype(zero);
    forEachTile(nest, [&](const Tile<4>& tile) {
      chooseTile(nest, tile, static_cast<T*>(out.raw()), c.data<bool>(), static_cast<const T*>(x.raw()),
                 static_cast<const T*>(y.raw()));
    });
  });
  return out;
}

}  // namespace ember::core
