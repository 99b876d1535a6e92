#pragma once
#include <vector>

#include <ember/autograd/ops/Ops.h>

#include "conformance/Runner.h"

/// What several families of ops need to turn ONNX's lists into ember's arguments.
namespace ember::test::onnx {

inline std::vector<int> toAxes(const std::vector<i64>& list) { return {list.begin(), list.end()}; }

/// Row for an op of one operand and no attribute.
template <Tensor (*op)(const Tensor&)>
Tensors unary(const Call& call) {
  return {op(call.in(0))};
}

/// The second operand, shaped to broadcast against the first: before version 7 the attribute `axis` names the axis of
/// the first operand that its own first axis stands for; since then NumPy's rule holds.
Tensor secondOperand(const Call& call);

template <Tensor (*op)(const Tensor&, const Tensor&)>
Tensors binary(const Call& call) {
  return {op(call.in(0), secondOperand(call))};
}

/// op over all operands, from the left.
template <Tensor (*op)(const Tensor&, const Tensor&)>
Tensors variadic(const Call& call) {
  Tensor result = call.in(0);
  for (std::size_t i = 1; i < call.inputs.size(); ++i) result = op(result, call.in(i));
  return {result};
}

}  // namespace ember::test::onnx
