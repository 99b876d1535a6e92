#pragma once
#include <ember/core/NDArray.h>

/// Elementwise kernels with NumPy broadcasting. Operands are of one dtype (checked: DtypeError). f32 and f64 everywhere; integers where
/// noted. Results are dense; operands of equal dense strides run flat and keep their order, otherwise the result
/// takes the order of the first operand that is channels last.
namespace ember::core {

enum class Unary : u8 {
  Neg, Abs,              // also integers
  Sign, Exp, Log, Log1p, Expm1, Sqrt, Rsqrt, Reciprocal, Square, Sin, Cos, Tanh, Sigmoid, Erf, Floor, Ceil, Round,
  Relu, Gelu, GeluTanh, Silu, Softplus,
};
NDArray unary(Unary, const NDArray& x, const char* op);
/// f of every element of an f32 (or bf16) array, g of an f64 one: functions of the C library that nothing waits for.
NDArray eachElement(const NDArray& x, float (*f)(float), double (*g)(double), const char* op);

enum class Binary : u8 { Add, Sub, Mul, Div, Pow, Min, Max };  // also integers (Div truncates, by zero throws ValueError)
NDArray binary(Binary, const NDArray& a, const NDArray& b, const char* op);

/// What a / b leaves over: a - b·q with q cut towards zero (C's fmod and %, the sign of a) or rounded down (Python's %, the
/// sign of b). Also integers, whose division by zero throws ValueError.
enum class Quotient : u8 { Truncated, Floored };
NDArray remainder(Quotient, const NDArray& a, const NDArray& b, const char* op);

enum class Compare : u8 { Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual };  // any dtype; result bool
NDArray compare(Compare, const NDArray& a, const NDArray& b, const char* op);

/// condition (bool) ? a : b, all three broadcast.
NDArray where(const NDArray& condition, const NDArray& a, const NDArray& b, const char* op);

/// min(max(x, low), high); NaN stays NaN.
NDArray clamp(const NDArray& x, double low, double high);
/// x > 0 ? x : slope·x.
NDArray leakyRelu(const NDArray& x, double slope);

/// Fused backwards of the activations, one pass each.
NDArray reluBackward(const NDArray& dy, const NDArray& y);                    ///< dy where y > 0
NDArray leakyReluBackward(const NDArray& dy, const NDArray& x, double slope);
/// dy·f' at y = f(x) for Sigmoid and Tanh, at x for the others.
enum class Slope : u8 { Sigmoid, Tanh, Gelu, GeluTanh, Silu, Softplus };
NDArray timesSlope(Slope, const NDArray& dy, const NDArray& at);

/// destination += source (same shape and dtype), in place; reports the write under `writer`, unless that is null (already reported).
void addInPlace(NDArray& destination, const NDArray& source, const char* writer);
/// destination *= factor, in place.
void scaleInPlace(NDArray& destination, double factor, const char* writer);
/// Copies (and converts) source into destination, any strides, shapes equal. A null `writer` reports no write (fresh memory).
void copyInto(NDArray& destination, const NDArray& source, const char* writer);
/// Sets every element; the array may be strided.
void fill(NDArray& destination, double value, const char* writer);

/// True if every element is finite (integers always are).
bool allFinite(const NDArray&);

}  // namespace ember::core
