// Remainders: all floats are computed in f64, where those of f32 are exact, and all integers in i64. Few programs ask.
#include <cmath>

#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/MapPairs.h>

namespace ember::core {
namespace {

struct FloatRemainder {
  bool floored;
  EMBER_INLINE double operator()(double a, double b) const {
    const double rest = std::fmod(a, b);
    return floored && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
};

struct IntegerRemainder {
  bool floored;
  EMBER_INLINE i64 operator()(i64 a, i64 b) const {
    if (b == -1) return 0;  // the quotient of the smallest number would overflow
    const i64 rest = a % b;
    return floored && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
};

}  // namespace

NDArray remainder(Quotient kind, const NDArray& a, const NDArray& b, const char* op) {
  checkSameType(op, a, b);
  const bool floored = kind == Quotient::Floored;
  if (isFloating(a.dtype())) {
    const NDArray x = a.to(DType::F64), y = b.to(DType::F64);
    return mapPairs<double, double>(op, x, y, FloatRemainder{floored}).to(a.dtype());
  }
  if (a.dtype() == DType::Bool) {
    throw DtypeError(op, "a is bool, expected numbers", {{"a", toString(a.shape())}}, "convert it with to(DType::I32)");
  }
  const Shape shape = broadcastShapes(a.shape(), b.shape(), op);
  if (ember::numel(shape) > 0) {
    for (const i64 divisor : b.toVector<i64>()) {
      if (divisor != 0) continue;
      throw ValueError(op, "integer division by zero", {{"divisor", describe("b", b)}}, "use floats: to(DType::F32)");
    }
  }
  const NDArray x = a.to(DType::I64), y = b.to(DType::I64);
  return mapPairs<i64, i64>(op, x, y, IntegerRemainder{floored}).to(a.dtype());
}

}  // namespace ember::core
