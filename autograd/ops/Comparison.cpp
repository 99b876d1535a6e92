#include <ember/autograd/ops/Comparison.h>

#include <string>

#include <ember/autograd/Op.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember {

using namespace autograd;

namespace {

Tensor compared(const char* op, core::Compare kind, const Tensor& a, const Tensor& b) {
  checkOperands(op, {&a, &b});
  checkSameDtype(op, a, b);
  return apply(op, {&a, &b}, broadcastShapes(a.shape(), b.shape(), op), DType::Bool,
               [&] { return core::compare(kind, a.array(), b.array(), op); }, nullptr);
}

// 1 where the condition holds, 0 elsewhere, in the type of like.
Tensor indicator(const Tensor& condition, const Tensor& like) { return condition.detach().to(like.dtype()); }

Tensor extreme(const char* op, core::Binary kind, const Tensor& a, const Tensor& b) {
  checkOperands(op, {&a, &b});
  checkSameDtype(op, a, b);
  return apply(
      op, {&a, &b}, broadcastShapes(a.shape(), b.shape(), op), a.dtype(),
      [&] { return core::binary(kind, a.array(), b.array(), op); },
      [kind, a = Saved(a), b = Saved(b)](const BackwardContext& c) {
        const Tensor x = a.get(c), y = b.get(c);
        const Tensor xWins = kind == core::Binary::Max ? greater(x, y) : less(x, y);
        const Tensor share = indicator(xWins, x) + indicator(equal(x, y), x) * 0.5;
        return Tensors{c.needs(0) ? sumTo(c.grad() * share, x.shape()) : Tensor(),
                       c.needs(1) ? sumTo(c.grad() * (1 - share), y.shape()) : Tensor()};
      });
}

}  // namespace

Tensor equal(const Tensor& a, const Tensor& b) { return compared("equal", core::Compare::Equal, a, b); }
Tensor notEqual(const Tensor& a, const Tensor& b) { return compared("notEqual", core::Compare::NotEqual, a, b); }
Tensor less(const Tensor& a, const Tensor& b) { return compared("less", core::Compare::Less, a, b); }
Tensor lessEqual(const Tensor& a, const Tensor& b) { return compared("lessEqual", core::Compare::LessEqual, a, b); }
Tensor greater(const Tensor& a, const Tensor& b) { return compared("greater", core::Compare::Greater, a, b); }
Tensor greaterEqual(const Tensor& a, const Tensor& b) {
  return compared("greaterEqual", core::Compare::GreaterEqual, a, b);
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  checkOperands("where", {&condition, &a, &b});
  checkSameDtype("where", a, b);
  if (condition.dtype() != DType::Bool) {
    throw DtypeError("where", "the condition is " + std::string(name(condition.dtype())) + ", expected bool", {},
                     "make it with a comparison");
  }
  const Shape shape = broadcastShapes(condition.shape(), broadcastShapes(a.shape(), b.shape(), "where"), "where");
  return apply(
      "where", {&condition, &a, &b}, shape, a.dtype(),
      [&] { return core::where(condition.array(), a.array(), b.array(), "where"); },
      [condition = Saved(condition), sa = a.shape(), sb = b.shape()](const BackwardContext& c) {
        const Tensor on = condition.get(c), zero = Tensor::zeros({}, c.grad().dtype());
        return Tensors{Tensor(), c.needs(1) ? sumTo(where(on, c.grad(), zero), sa) : Tensor(),
                       c.needs(2) ? sumTo(where(on, zero, c.grad()), sb) : Tensor()};
      });
}

Tensor maximum(const Tensor& a, const Tensor& b) { return extreme("maximum", core::Binary::Max, a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return extreme("minimum", core::Binary::Min, a, b); }

}  // namespace ember
