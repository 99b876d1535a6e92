#include <ember/autograd/ops/Logic.h>

#include <limits>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Reduction.h>

namespace ember {

using namespace autograd;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// The truth of x, outside the graph.
Tensor truth(const Tensor& x) { return x.detach().to(DType::Bool); }
Tensor constant(bool value) { return Tensor::full({}, value, DType::Bool); }

}  // namespace

Tensor logicalAnd(const Tensor& a, const Tensor& b) {
  checkOperands("logicalAnd", {&a, &b});
  (void)broadcastShapes(a.shape(), b.shape(), "logicalAnd");
  return where(truth(a), truth(b), constant(false));
}

Tensor logicalOr(const Tensor& a, const Tensor& b) {
  checkOperands("logicalOr", {&a, &b});
  (void)broadcastShapes(a.shape(), b.shape(), "logicalOr");
  return where(truth(a), constant(true), truth(b));
}

Tensor logicalXor(const Tensor& a, const Tensor& b) {
  checkOperands("logicalXor", {&a, &b});
  (void)broadcastShapes(a.shape(), b.shape(), "logicalXor");
  return notEqual(truth(a), truth(b));
}

Tensor logicalNot(const Tensor& x) {
  checkOperands("logicalNot", {&x});
  return equal(truth(x), constant(false));
}

Tensor any(const Tensor& x, const std::vector<int>& axes, bool keepDims) {
  checkOperands("any", {&x});
  return sum(truth(x), axes, keepDims).to(DType::Bool);
}

Tensor all(const Tensor& x, const std::vector<int>& axes, bool keepDims) {
  checkOperands("all", {&x});
  return logicalNot(any(logicalNot(x), axes, keepDims));
}

Tensor isnan(const Tensor& x) {
  checkOperands("isnan", {&x});
  return notEqual(x, x);
}

Tensor isinf(const Tensor& x) {
  checkOperands("isinf", {&x});
  if (!isFloating(x.dtype())) return notEqual(x, x);
  return equal(abs(x.detach()), Tensor(core::NDArray::scalar(infinity, x.dtype())));
}

Tensor isfinite(const Tensor& x) {
  checkOperands("isfinite", {&x});
  if (!isFloating(x.dtype())) return equal(x, x);
  return less(abs(x.detach()), Tensor(core::NDArray::scalar(infinity, x.dtype())));
}

bool allClose(const Tensor& a, const Tensor& b, double relative, double absolute) {
  checkOperands("allClose", {&a, &b});
  checkSameDtype("allClose", a, b);
  const Tensor x = a.detach().to(DType::F64), y = b.detach().to(DType::F64);
  const Tensor near = lessEqual(abs(x - y), abs(y) * relative + absolute) && isfinite(y);
  return all(near || equal(x, y)).item() != 0;
}

}  // namespace ember
