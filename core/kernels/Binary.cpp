#include <cmath>
#include <type_traits>

#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/MapDense.h>
#include <ember/core/kernels/MapPairs.h>

namespace ember::core {
namespace {

// Integer arithmetic goes through u64, where overflow wraps instead of being undefined.
template <class T> EMBER_INLINE T wrap(u64 value) { return static_cast<T>(value); }

struct Add {
  template <class T> EMBER_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) return wrap<T>(static_cast<u64>(a) + static_cast<u64>(b));
    else return a + b;
  }
};
struct Sub {
  template <class T> EMBER_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) return wrap<T>(static_cast<u64>(a) - static_cast<u64>(b));
    else return a - b;
  }
};
struct Mul {
  template <class T> EMBER_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) return wrap<T>(static_cast<u64>(a) * static_cast<u64>(b));
    else return a * b;
  }
};
struct Div {
  template <class T> EMBER_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return a / b;
    } else if constexpr (std::is_signed_v<T>) {
      return b == T(-1) ? wrap<T>(u64{0} - static_cast<u64>(a)) : static_cast<T>(a / b);
    } else {
      return static_cast<T>(a / b);
    }
  }
};
struct Pow {
  template <class T> EMBER_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::pow(a, b);
    } else {
      u64 result = 1, base = static_cast<u64>(a);
      for (u64 left = static_cast<u64>(b); left > 0; left >>= 1, base *= base) {
        if (left & 1u) result *= base;
      }
      return wrap<T>(result);
    }
  }
};
// Bitwise | and & on purpose: no branches, so the loops vectorise. NaN on either side is the result.
struct Max { template <class T> EMBER_INLINE T operator()(T a, T b) const { return ((a > b) | (a != a)) ? a : b; } };
struct Min { template <class T> EMBER_INLINE T operator()(T a, T b) const { return ((a < b) | (a != a)) ? a : b; } };

template <class T, class Bad> void checkEach(const NDArray& x, Bad bad) {
  const auto nest = makeNest<1>(x.shape(), {x.strides()});
  forEachTile(nest, [&](const Tile<1>& tile) {
    for (i64 r = 0; r < tile.rows; ++r) {
      const T* from = x.data<T>() + tile.offset[0] + r * nest.rowStride(0);
      for (i64 i = 0; i < tile.columns; ++i) bad(from[i * nest.columnStride(0)]);
    }
  });
}

/// Divisors of 0 and negative exponents have no integer result.
template <class T> void checkIntegers(Binary kind, const NDArray& a, const NDArray& b, const char* op) {
  if (kind == Binary::Div && a.numel() > 0) {
    checkEach<T>(b, [&](T v) {
      if (v == 0) {
        throw ValueError(op, "integer division by zero", {{"divisor", describe("b", b)}}, "use floats: to(DType::F32)");
      }
    });
  }
  if constexpr (std::is_signed_v<T>) {
    if (kind != Binary::Pow || a.numel() == 0) return;
    checkEach<T>(b, [&](T v) {
      if (v < 0) {
        throw ValueError(op, "an integer to the negative power " + std::to_string(v), {{"exponent", describe("b", b)}},
                         "use floats: to(DType::F32)");
      }
    });
  }
}

/// Integers are rare: they share one loop of calls, where floats have a loop for each function.
template <class T, class F> NDArray map(const char* op, const NDArray& a, const NDArray& b, F f) {
  if constexpr (std::is_floating_point_v<T>) {
    return mapPairs<T, T>(op, a, b, f);
  } else {
    T (*const call)(T, T) = [](T x, T y) { return F{}(x, y); };
    return mapPairs<T, T>(op, a, b, call);
  }
}

template <class T> NDArray compute(Binary kind, const NDArray& a, const NDArray& b, const char* op) {
  if constexpr (std::is_integral_v<T>) {
    broadcastShapes(a.shape(), b.shape(), op);
    checkIntegers<T>(kind, a, b, op);
  }
  switch (kind) {
    case Binary::Add: return map<T>(op, a, b, Add{});
    case Binary::Sub: return map<T>(op, a, b, Sub{});
    case Binary::Mul: return map<T>(op, a, b, Mul{});
    case Binary::Div: return map<T>(op, a, b, Div{});
    case Binary::Max: return map<T>(op, a, b, Max{});
    case Binary::Min: return map<T>(op, a, b, Min{});
    case Binary::Pow: break;
  }
  if (std::is_floating_point_v<T> && b.numel() == 1 && b.rank() <= a.rank() && b.item() == 2) return unary(Unary::Square, a, op);
  return map<T>(op, a, b, Pow{});
}

}  // namespace

NDArray binary(Binary kind, const NDArray& a, const NDArray& b, const char* op) {
  checkSameType(op, a, b);
  switch (a.dtype()) {
    case DType::F32: return compute<float>(kind, a, b, op);
    case DType::F64: return compute<double>(kind, a, b, op);
    case DType::BF16: return compute<float>(kind, a.to(DType::F32), b.to(DType::F32), op).to(DType::BF16);
    case DType::I64: return compute<i64>(kind, a, b, op);
    case DType::I32: return compute<i32>(kind, a, b, op);
    case DType::I8: return compute<i8>(kind, a, b, op);
    case DType::U8: return compute<u8>(kind, a, b, op);
    case DType::Bool: break;
  }
  throwUnsupported(op, a, "numbers");
}

}  // namespace ember::core
