#include <ember/autograd/ops/Arithmetic.h>

#include <ember/autograd/Deferred.h>
#include <ember/autograd/Fusion.h>
#include <ember/autograd/Graph.h>
#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/Reduce.h>

namespace ember {

using namespace autograd;

namespace {

template <class Backward>
Tensor binary(const char* op, core::Binary kind, const Tensor& a, const Tensor& b, Backward&& backward) {
  checkOperands(op, {&a, &b});
  checkSameDtype(op, a, b);
  return apply(op, {&a, &b}, broadcastShapes(a.shape(), b.shape(), op), a.dtype(),
               [&] { return core::binary(kind, a.array(), b.array(), op); }, std::forward<Backward>(backward));
}

}  // namespace

namespace autograd {

namespace {
void checkDefined(const char* op, const Tensor& x) {
  if (!x.defined()) throw StateError(op, "the operand is an undefined tensor", {}, "give it a value first");
}
}  // namespace

Tensor beside(const char* op, const Tensor& x, double number) {
  checkDefined(op, x);
  checkFits(op, number, x.dtype());
  return Tensor(core::NDArray::scalar(number, x.dtype()));
}

Tensor beside(const char* op, const Tensor& x, i64 number) {
  checkDefined(op, x);
  checkFits(op, number, x.dtype());
  if (x.dtype() == DType::I64) return Tensor(core::NDArray::from<i64>({number}, {}));  // a double is exact to 2^53
  return Tensor(core::NDArray::scalar(static_cast<double>(number), x.dtype()));
}

}  // namespace autograd

namespace {

/// a + b over the memory of a, or nothing where that must not be.
Tensor addedInto(Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined() || a.impl() == b.impl()) return {};
  if (joinResidual(a, b)) return std::move(a);
  if (a.shape() != b.shape() || a.dtype() != b.dtype() || !isFloating(a.dtype()) || !mayOverwrite(a)) return {};
  if (b.isShapeOnly() || !b.array().isDense(a.array().order())) return {};
  const Tensor taken = std::move(a);
  const auto kernel = [&] {
    core::NDArray y = taken.array();
    core::addInPlace(y, b.array(), "add");
    return y;
  };
  return apply("add", {&taken, &b}, taken.shape(), taken.dtype(), kernel, [](const BackwardContext& c) {
    return Tensors{c.needs(0) ? c.grad() : Tensor(), c.needs(1) ? c.grad() : Tensor()};
  });
}

}  // namespace

Tensor operator+(Tensor a, Tensor b) {
  // The one that waits comes first, so that its kernel may add.
  const bool second = b.defined() && b.impl()->waiting.load(std::memory_order_acquire);
  for (const bool swapped : {second, !second}) {
    if (Tensor y = swapped ? addedInto(b, a) : addedInto(a, b); y.defined()) return y;
  }
  return add(a, b);
}

Tensor add(const Tensor& a, const Tensor& b) {
  return binary(
      "add", core::Binary::Add, a, b,
      [sa = a.defined() ? a.shape() : Shape(), sb = b.defined() ? b.shape() : Shape()](const BackwardContext& c) {
        return Tensors{c.needs(0) ? sumTo(c.grad(), sa) : Tensor(), c.needs(1) ? sumTo(c.grad(), sb) : Tensor()};
      });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return binary(
      "sub", core::Binary::Sub, a, b,
      [sa = a.defined() ? a.shape() : Shape(), sb = b.defined() ? b.shape() : Shape()](const BackwardContext& c) {
        return Tensors{c.needs(0) ? sumTo(c.grad(), sa) : Tensor(), c.needs(1) ? -sumTo(c.grad(), sb) : Tensor()};
      });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return binary("mul", core::Binary::Mul, a, b, [a = Saved(a), b = Saved(b)](const BackwardContext& c) {
    const Tensor x = a.get(c), y = b.get(c);
    return Tensors{c.needs(0) ? sumTo(c.grad() * y, x.shape()) : Tensor(),
                   c.needs(1) ? sumTo(c.grad() * x, y.shape()) : Tensor()};
  });
}

Tensor div(const Tensor& a, const Tensor& b) {
  return binary("div", core::Binary::Div, a, b, [a = Saved(a), b = Saved(b)](const BackwardContext& c) {
    const Tensor x = a.get(c), y = b.get(c);
    return Tensors{c.needs(0) ? sumTo(c.grad() / y, x.shape()) : Tensor(),
                   c.needs(1) ? sumTo(-c.grad() * x / (y * y), y.shape()) : Tensor()};
  });
}

Tensor neg(const Tensor& x) {
  checkOperands("neg", {&x});
  return apply("neg", {&x}, x.shape(), x.dtype(), [&] { return core::unary(core::Unary::Neg, x.array(), "neg"); },
               [](const BackwardContext& c) { return Tensors{-c.grad()}; });
}

Tensor sumTo(const Tensor& x, const Shape& shape) {
  checkOperands("sumTo", {&x});
  if (x.shape() == shape) return x;
  return apply("sumTo", {&x}, shape, x.dtype(), [&] { return core::sumTo(x.array(), shape); },
               [whole = x.shape()](const BackwardContext& c) { return Tensors{expand(c.grad(), whole)}; });
}

}  // namespace ember
