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

Tensors meanOf(const Call& call) {
  return {variadic<add>(call)[0] / static_cast<double>(call.inputs.size())};
}

Tensors clip(const Call& call) {
  Tensor x = call.in(0);
  if (isFloating(x.dtype())) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return {clamp(x, call.scalar("min", 1, -infinity), call.scalar("max", 2, infinity))};
  }
  if (call.has(1)) x = maximum(x, call.in(1));
  if (call.has(2)) x = minimum(x, call.in(2));
  return {x};
}

constexpr Row rows[] = {
    {"Abs", Match::Exact, unary<abs>},
    {"Add", Match::Exact, binary<add>},
    {"Cast", Match::Exact, [](const Call& c) { return Tensors{cast(c.in(0), dtypeOf(c.integer("to", 0)))}; }},
    {"CastLike", Match::Exact, [](const Call& c) { return Tensors{cast(c.in(0), c.in(1).dtype())}; }},
    {"Clip", Match::Exact, clip},
    {"Cos", Match::Near, unary<cos>},
    {"Div", Match::Exact, binary<div>},
    {"Equal", Match::Exact, binary<equal>},
    {"Erf", Match::Near, unary<erf>},
    {"Exp", Match::Near, unary<exp>},
    {"Greater", Match::Exact, binary<greater>},
    {"GreaterOrEqual", Match::Exact, binary<greaterEqual>},
    {"Less", Match::Exact, binary<less>},
    {"LessOrEqual", Match::Exact, binary<lessEqual>},
    {"Log", Match::Near, unary<log>},
    {"Max", Match::Exact, variadic<maximum>},
    {"Mean", Match::Near, meanOf},
    {"Min", Match::Exact, variadic<minimum>},
    {"Mul", Match::Exact, binary<mul>},
    {"Neg", Match::Exact, unary<neg>},
    {"Reciprocal", Match::Exact, [](const Call& c) { return Tensors{1 / c.in(0)}; }},
    {"Sin", Match::Near, unary<sin>},
    {"Sqrt", Match::Exact, unary<sqrt>},
    {"Sub", Match::Exact, binary<sub>},
    {"Sum", Match::Near, variadic<add>},
    {"Where", Match::Exact, [](const Call& c) { return Tensors{where(c.in(0), c.in(1), c.in(2))}; }},
};

}  // namespace

std::span<const Row> elementwiseOps() { return rows; }

}  // namespace ember::test::onnx
