// Arithmetic, mathematics, comparison, conversion.
#include <limits>

#include "conformance/Helpers.h"

namespace ember::test::onnx {

Tensor secondOperand(const Call& call) {
  const Tensor& a = call.in(0);
  Tensor b = call.in(1);
  if (call.opset < 7 && call.hasAttribute("axis")) {
    const i64 axis = call.integer("axis", 0);
    while (b.rank() + axis < a.rank()) b = unsqueeze(b, b.rank());
  }
  return b;
}

namespace {

Tensors meanOf(const Call& call) { return {variadic<add>(call)[0] / static_cast<double>(call.inputs.size())}; }

Tensors clip(const Call& call) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  return {clamp(call.in(0), call.scalar("min", 1, -infinity), call.scalar("max", 2, infinity))};
}

Tensors power(const Call& call) {
  const Tensor &base = call.in(0), exponent = secondOperand(call);
  if (base.dtype() == exponent.dtype()) return {pow(base, exponent)};
  return {cast(pow(cast(base, DType::F64), cast(exponent, DType::F64)), base.dtype())};  // the type of the base rules
}

Tensors modulo(const Call& call) {
  const bool likeC = call.integer("fmod", 0) != 0;
  return {likeC ? fmod(call.in(0), call.in(1)) : remainder(call.in(0), call.in(1))};
}

Tensors isInfinite(const Call& call) {
  const Tensor& x = call.in(0);
  Tensor found = isinf(x);
  if (!call.integer("detect_negative", 1)) found = found && x > 0;
  if (!call.integer("detect_positive", 1)) found = found && x < 0;
  return {found};
}

constexpr Row rows[] = {
    {"Abs", Match::Exact, unary<abs>},
    {"Acos", Match::Near, unary<acos>},
    {"Acosh", Match::Near, unary<acosh>},
    {"Add", Match::Exact, binary<add>},
    {"And", Match::Exact, binary<logicalAnd>},
    {"Asin", Match::Near, unary<asin>},
    {"Asinh", Match::Near, unary<asinh>},
    {"Atan", Match::Near, unary<atan>},
    {"Atanh", Match::Near, unary<atanh>},
    {"Cast", Match::Exact, [](const Call& c) { return Tensors{cast(c.in(0), dtypeOf(c.integer("to", 0)))}; }},
    {"CastLike", Match::Exact, [](const Call& c) { return Tensors{cast(c.in(0), c.in(1).dtype())}; }},
    {"Ceil", Match::Exact, unary<ceil>},
    {"Clip", Match::Exact, clip},
    {"Cos", Match::Near, unary<cos>},
    {"Cosh", Match::Near, unary<cosh>},
    {"Div", Match::Exact, binary<div>},
    {"Equal", Match::Exact, binary<equal>},
    {"Erf", Match::Near, unary<erf>},
    {"Exp", Match::Near, unary<exp>},
    {"Floor", Match::Exact, unary<floor>},
    {"Greater", Match::Exact, binary<greater>},
    {"GreaterOrEqual", Match::Exact, binary<greaterEqual>},
    {"IsInf", Match::Exact, isInfinite},
    {"IsNaN", Match::Exact, unary<isnan>},
    {"Less", Match::Exact, binary<less>},
    {"LessOrEqual", Match::Exact, binary<lessEqual>},
    {"Log", Match::Near, unary<log>},
    {"Max", Match::Exact, variadic<maximum>},
    {"Mean", Match::Near, meanOf},
    {"Min", Match::Exact, variadic<minimum>},
    {"Mod", Match::Near, modulo},
    {"Mul", Match::Exact, binary<mul>},
    {"Neg", Match::Exact, unary<neg>},
    {"Not", Match::Exact, unary<logicalNot>},
    {"Or", Match::Exact, binary<logicalOr>},
    {"Pow", Match::Near, power},
    {"Reciprocal", Match::Exact, unary<reciprocal>},
    {"Round", Match::Exact, unary<round>},
    {"Sign", Match::Exact, unary<sign>},
    {"Sin", Match::Near, unary<sin>},
    {"Sinh", Match::Near, unary<sinh>},
    {"Sqrt", Match::Exact, unary<sqrt>},
    {"Sub", Match::Exact, binary<sub>},
    {"Sum", Match::Near, variadic<add>},
    {"Tan", Match::Near, unary<tan>},
    {"Where", Match::Exact, [](const Call& c) { return Tensors{where(c.in(0), c.in(1), c.in(2))}; }},
    {"Xor", Match::Exact, binary<logicalXor>},
};

}  // namespace

std::span<const Row> elementwiseOps() { return rows; }

}  // namespace ember::test::onnx
