// Writes into arrays that exist: gradient accumulation and scaling; and the check for NaN and infinity.
#include <atomic>
#include <type_traits>

#include <ember/core/Error.h>
#include <ember/core/kernels/Convert.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/MapDense.h>
#include <ember/core/kernels/MapPairs.h>

namespace ember::core {
namespace {

/// Calls f(zero) for every type that has arithmetic.
template <class F> void dispatchNumbers(const char* op, const NDArray& x, F&& f) {
  if (x.dtype() == DType::Bool) throwUnsupported(op, x, "numbers");
  dispatch(x.dtype(), [&](auto zero) {
    if constexpr (!std::is_same_v<decltype(zero), bool>) f(zero);
  });
}

struct AddTo {
  template <class T> EMBER_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_same_v<T, bf16>) return narrow(widen(a) + widen(b));
    else if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<u64>(a) + static_cast<u64>(b));
    else return a + b;
  }
};

struct Scale {
  double factor;
  template <class T> EMBER_INLINE T operator()(T a) const {
    if constexpr (std::is_same_v<T, bf16>) return narrow(widen(a) * static_cast<float>(factor));
    else if constexpr (std::is_integral_v<T>) return convert<T>(static_cast<double>(a) * factor);
    else return a * static_cast<T>(factor);
  }
};

/// Whether an exponent field is all ones, by its bits: std::isfinite does not vectorise everywhere.
template <class T> bool rangeFinite(const T* x, i64 begin, i64 end) {
  using Bits = std::conditional_t<sizeof(T) == 8, u64, std::conditional_t<sizeof(T) == 4, u32, std::uint16_t>>;
  constexpr Bits exponent = sizeof(T) == 8 ? static_cast<Bits>(0x7ff0000000000000u)
                                           : (sizeof(T) == 4 ? static_cast<Bits>(0x7f800000u) : static_cast<Bits>(0x7f80u));
  Bits bad = 0;
  simd::runFor<T>([=, &bad]() EMBER_SIMD_BODY {
    Bits found = 0;
    for (i64 i = begin; i < end; ++i) {
      const Bits bits = std::bit_cast<Bits>(x[i]) & exponent;
      found = static_cast<Bits>(found | (bits == exponent ? Bits(1) : Bits(0)));
    }
    bad = found;
  });
  return bad == 0;
}

}  // namespace

void addInPlace(NDArray& destination, const NDArray& source, const char* writer) {
  const char* op = writer ? writer : "addInPlace";
  checkSameType(op, destination, source, "destination", "source");
  if (destination.shape() != source.shape()) {
    throw ShapeError(op, "cannot add " + toString(source.shape()) + " to " + toString(destination.shape()) + " in place", {},
                     "expand the source first");
  }
  const bool overlaps = destination.storage() == source.storage() &&
                        (destination.offset() != source.offset() || destination.strides() != source.strides());
  const NDArray from = overlaps ? source.copy() : alignedOperand(source, destination.shape(), destination.order());
  const auto nest = makeNest<3>(destination.shape(), {destination.strides(), destination.strides(), from.strides()});
  dispatchNumbers(op, destination, [&](auto zero) {
    using T = decltype(zero);
    T* to = destination.data<T>();
    const T* x = from.data<T>();
    forEachTile(nest, [&](const Tile<3>& tile) { mapTile(nest, tile, to, to, x, AddTo{}); });
  });
  if (writer) destination.storage()->written(writer);
}

void scaleInPlace(NDArray& destination, double factor, const char* writer) {
  const auto nest = makeNest<1>(destination.shape(), {destination.strides()});
  dispatchNumbers(writer ? writer : "scaleInPlace", destination, [&](auto zero) {
    using T = decltype(zero);
    T* data = destination.data<T>();
    const Scale scale{factor};
    forEachTile(nest, [&](const Tile<1>& tile) {
      for (i64 r = 0; r < tile.rows; ++r) {
        T* to = data + tile.offset[0] + r * nest.rowStride(0);
        const i64 columns = tile.columns, step = nest.columnStride(0);
        if (step == 1) {
          simd::runFor<T>([=]() EMBER_SIMD_BODY {
            EMBER_NO_ALIAS for (i64 i = 0; i < columns; ++i) to[i] = scale(to[i]);
          });
        } else {
          for (i64 i = 0; i < columns; ++i) to[i * step] = scale(to[i * step]);
        }
      }
    });
  });
  if (writer) destination.storage()->written(writer);
}

bool allFinite(const NDArray& x) {
  if (!isFloating(x.dtype())) return true;
  const NDArray dense = x.isDense(MemoryOrder::ChannelsLast) ? x : x.contiguous();
  std::atomic<bool> finite{true};
  dispatch(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, bf16>) {
      parallelFor(dense.numel(), elementwiseGrain, [&](i64 begin, i64 end) {
        if (!rangeFinite(dense.data<T>(), begin, end)) finite.store(false, std::memory_order_relaxed);
      });
    }
  });
  return finite.load();
}

}  // namespace ember::core
