#include <ember/autograd/ops/Indexing.h>

#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Gather.h>

namespace ember {

using namespace autograd;

namespace {

Tensor gathered(const char* op, const Tensor& x, int axis, const Tensor& index);

// Zeros of `shape` with the elements of x added at the index: the adjoint of gather, as gather is its own.
Tensor added(const char* op, const Tensor& x, int axis, const Tensor& index, const Shape& shape) {
  return apply(
      op, {&x, &index}, shape, x.dtype(), [&] { return core::scatterAdd(x.array(), axis, index.array(), shape, op); },
      [=, index = Saved(index)](const BackwardContext& c) {
        return Tensors{gathered(op, c.grad(), axis, index.get(c)), Tensor()};
      });
}

Tensor gathered(const char* op, const Tensor& x, int axis, const Tensor& index) {
  return apply(
      op, {&x, &index}, index.shape(), x.dtype(), [&] { return core::gather(x.array(), axis, index.array(), op); },
      [=, shape = x.shape(), index = Saved(index)](const BackwardContext& c) {
        return Tensors{added(op, c.grad(), axis, index.get(c), shape), Tensor()};
      });
}

// Which sources are still there after a scatter: each leaves its number and looks whether it stands.
Tensor survivors(const Shape& shape, int axis, const Tensor& index) {
  const Tensor numbers = reshape(Tensor::arange(0, static_cast<double>(index.numel()), 1, DType::I64), index.shape());
  const core::NDArray placed =
      core::scatter(core::NDArray::zeros(shape, DType::I64), axis, index.array(), numbers.array());
  return equal(Tensor(core::gather(placed, axis, index.array())), numbers);
}

void checkMask(const char* op, const Tensor& mask) {
  if (mask.dtype() == DType::Bool) return;
  throw DtypeError(op, "the mask is " + std::string(name(mask.dtype())) + ", expected bool", {},
                   "make it with a comparison");
}

}  // namespace

Tensor gather(const Tensor& x, int axis, const Tensor& index) {
  checkOperands("gather", {&x, &index});
  return gathered("gather", x, normalizeAxis(axis, x.rank(), "gather"), index);
}

Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& source) {
  constexpr const char* op = "scatter";
  checkOperands(op, {&x, &index, &source});
  checkSameDtype(op, x, source, "x", "source");
  axis = normalizeAxis(axis, x.rank(), op);
  const Tensor spread = expand(source, index.shape());
  return apply(
      op, {&x, &index, &spread}, x.shape(), x.dtype(),
      [&] { return core::scatter(x.array(), axis, index.array(), spread.array()); },
      [axis, index = Saved(index)](const BackwardContext& c) {
        const Tensor at = index.get(c), g = c.grad();
        return Tensors{c.needs(0) ? scatter(g, axis, at, 0) : Tensor(), Tensor(),
                       c.needs(2) ? where(survivors(g.shape(), axis, at), gather(g, axis, at), 0) : Tensor()};
      });
}

Tensor scatterAdd(const Tensor& x, int axis, const Tensor& index, const Tensor& source) {
  constexpr const char* op = "scatterAdd";
  checkOperands(op, {&x, &index, &source});
  checkSameDtype(op, x, source, "x", "source");
  axis = normalizeAxis(axis, x.rank(), op);
  return add(x, added(op, expand(source, index.shape()), axis, index, x.shape()));
}

Tensor indexSelect(const Tensor& x, int axis, const Tensor& index) {
  constexpr const char* op = "indexSelect";
  checkOperands(op, {&x, &index});
  axis = normalizeAxis(axis, x.rank(), op);
  Shape line = Shape::filled(x.rank(), 1), spread = x.shape(), result;
  line[axis] = spread[axis] = index.numel();
  for (int i = 0; i < x.rank(); ++i) {
    if (i != axis) {
      result.push(x.shape()[i]);
    } else {
      for (const i64 size : index.shape()) result.push(size);
    }
  }
  return reshape(gathered(op, x, axis, expand(reshape(index, line), spread)), result);
}

Tensor maskedFill(const Tensor& x, const Tensor& mask, double value) {
  checkOperands("maskedFill", {&x, &mask});
  checkMask("maskedFill", mask);
  if (broadcastShapes(x.shape(), mask.shape(), "maskedFill") != x.shape()) {
    throw ShapeError("maskedFill",
                     "the mask " + toString(mask.shape()) + " does not broadcast to x " + toString(x.shape()));
  }
  return where(mask, beside("maskedFill", x, value), x);
}

Tensor maskedSelect(const Tensor& x, const Tensor& mask) {
  checkOperands("maskedSelect", {&x, &mask});
  checkMask("maskedSelect", mask);
  const Shape shape = broadcastShapes(x.shape(), mask.shape(), "maskedSelect");
  const Tensor on = reshape(expand(mask, shape), {-1});
  return indexSelect(reshape(expand(x, shape), {-1}), 0, reshape(nonZero(on), {-1}));
}

Tensor nonZero(const Tensor& x) {
  checkOperands("nonZero", {&x});
  if (x.isShapeOnly()) {
    throw StateError("nonZero", "the tensor " + toString(x.shape()) + " has a shape but no values", {},
                     "how many elements are not 0 depends on the values");
  }
  return wrap("nonZero", core::nonZero(x.array()));
}

Tensor oneHot(const Tensor& index, i64 classes, DType dtype) {
  constexpr const char* op = "oneHot";
  checkOperands(op, {&index});
  if (classes < 1) throw ValueError(op, std::to_string(classes) + " classes", {}, "give their number, 1 or more");
  Shape shape = index.shape();
  shape.push(classes);
  return apply(
      op, {&index}, shape, dtype,
      [&] {
        const core::NDArray at = index.array().unsqueeze(index.rank());
        const core::NDArray one = core::NDArray::full({}, 1, dtype).expand(at.shape());
        return core::scatter(core::NDArray::zeros(shape, dtype), index.rank(), at, one, op);
      },
      nullptr);
}

}  // namespace ember
