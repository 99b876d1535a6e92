#include <ember/autograd/ops/MatMul.h>

#include <string>
#include <utility>

#include <ember/autograd/Fusion.h>
#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Epilogue.h>
#include <ember/core/kernels/MatMul.h>

namespace ember {

using namespace autograd;

namespace {

void count(const Shape& result, i64 perElement) {
  multiplyAdds() = checkedAdd(multiplyAdds(), checkedMul(numel(result), perElement));
}

Tensor swapped(const Tensor& x) { return transpose(x, -2, -1); }

// [..., M, K] with all axes before the last joined into one.
Tensor asRows(const Tensor& x) {
  if (x.rank() == 2) return x;
  i64 rows = 1;
  for (int i = 0; i < x.rank() - 1; ++i) rows *= x.size(i);
  return reshape(x, {rows, x.shape().back()});
}

void checkLinear(const Tensor& x, const Tensor& w, const Tensor& b) {
  constexpr const char* op = "linear";
  checkOperands(op, {&x, &w, b.defined() ? &b : nullptr});
  checkFloating(op, x);
  checkSameDtype(op, x, w, "x", "w");
  if (b.defined()) checkSameDtype(op, x, b, "x", "b");
  const auto details = [&] {
    return Error::Details{{"input", "x " + toString(x.shape())}, {"weights", "w " + toString(w.shape())}};
  };
  if (w.rank() != 2)
    throw ShapeError(op, "weights have rank " + std::to_string(w.rank()) + ", expected [out, in]", details());
  if (x.rank() < 1) throw ShapeError(op, "input is a scalar, expected [..., in]", details());
  if (x.shape().back() != w.size(1)) {
    const std::string features = std::to_string(x.shape().back());
    throw ShapeError(op, "input has " + features + " features, weights expect " + std::to_string(w.size(1)), details(),
                     x.rank() > 2 ? "flatten the input to [N, features] first, or build the layer with " + features +
                                        " input features"
                                  : "build the layer with " + features + " input features");
  }
  if (b.defined() && b.shape() != Shape{w.size(0)}) {
    throw ShapeError(op,
                     "bias is " + toString(b.shape()) + ", " + std::to_string(w.size(0)) + " outputs need [" +
                         std::to_string(w.size(0)) + "]",
                     details());
  }
}

/// dx, dw and db of y = act(x·wᵀ + b) by the kernels, without a graph of their own.
Tensors linearGradients(const BackwardContext& c, const Saved& x, const Saved& w, const core::FusedAct& act) {
  const auto given = [](core::NDArray array) { return Tensor(std::move(array)); };
  core::NDArray dy = c.grad().array(), db;
  const core::NDArray y = act.none() ? core::NDArray() : c.output().array();
  if (c.needs(2)) {
    const core::RowGradient both = core::actBackwardRows(dy, y, act, ownsGradient(c.grad()));
    dy = both.g;
    db = both.sum;
  } else {
    dy = core::actBackward(dy, y, act, ownsGradient(c.grad()));
  }
  return {c.needs(0) ? given(core::matmul(dy, w.get(c).array())) : Tensor(),
          c.needs(1) ? given(core::matmul(dy.transpose(0, 1), x.get(c).array())) : Tensor(),
          c.needs(2) ? given(std::move(db)) : Tensor()};
}

Tensor linearRows(const Tensor& x, const Tensor& w, const Tensor& b, const core::FusedAct& act) {
  const Tensor* bias = b.defined() ? &b : nullptr;
  return apply(
      "linear", {&x, &w, bias}, {x.size(0), w.size(0)}, x.dtype(),
      [&] {
        // Weights that a step is about to change are not worth a packed copy.
        const bool keepsW = !gradEnabled() || !w.requiresGrad();
        return core::linear(x.array(), w.array(), b.defined() ? b.array() : core::NDArray(), keepsW, act);
      },
      [sx = Saved(w.requiresGrad() ? x : Tensor()), sw = Saved(x.requiresGrad() ? w : Tensor()),
       act](const BackwardContext& c) {
        if (!gradEnabled()) return linearGradients(c, sx, sw, act);
        const Tensor dy = act.none() ? c.grad() : activationBackward(c, act);
        return Tensors{c.needs(0) ? matmul(dy, sw.get(c)) : Tensor(),
                       c.needs(1) ? matmul(swapped(dy), sx.get(c)) : Tensor(), c.needs(2) ? sum(dy, {0}) : Tensor()};
      },
      act.none() ? SaveOutputs::No : SaveOutputs::Yes);
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  constexpr const char* op = "matmul";
  checkOperands(op, {&a, &b});
  checkFloating(op, a, "a");
  checkSameDtype(op, a, b);
  const Shape shape = core::matmulShape(a.shape(), b.shape(), op);
  if (anyShapeOnly(std::initializer_list<const Tensor*>{&a, &b})) count(shape, a.shape().back());
  return apply(
      op, {&a, &b}, shape, a.dtype(), [&] { return core::matmul(a.array(), b.array()); },
      [sa = Saved(b.requiresGrad() ? a : Tensor()), sb = Saved(a.requiresGrad() ? b : Tensor()), aShape = a.shape(),
       bShape = b.shape()](const BackwardContext& c) {
        const bool needsA = c.needs(0), needsB = c.needs(1);
        Tensor x = sa.get(c), y = sb.get(c), dy = c.grad();
        // Puts the axes of operands of rank 1 back: first that of b (the last), then that of a (the one before it).
        Shape whole = dy.shape();
        if (bShape.rank() == 1) whole.push(1);
        if (aShape.rank() == 1) whole.insert(whole.rank() - 1, 1);
        dy = reshape(dy, whole);
        const Shape row{1, aShape.back()}, column{bShape[0], 1};
        if (x.defined() && aShape.rank() == 1) x = reshape(x, row);
        if (y.defined() && bShape.rank() == 1) y = reshape(y, column);
        Tensors result(2);
        if (needsA) {
          const Tensor da = matmul(dy, swapped(y));
          result[0] = aShape.rank() == 1 ? reshape(sumTo(da, row), aShape) : sumTo(da, aShape);
        }
        if (needsB) {
          if (bShape.rank() > 2) {
            result[1] = sumTo(matmul(swapped(x), dy), bShape);
          } else {
            // One b for the whole batch: a single product over all rows instead of one a batch and their sum.
            result[1] = reshape(matmul(swapped(asRows(x)), asRows(dy)), bShape);
          }
        }
        return result;
      });
}

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& b, Act act, double slope) {
  checkLinear(x, w, b);
  if (act != Act::None && (!fusionEnabled() || (act == Act::LeakyReLU && slope < 0))) {
    const Tensor plain = linear(x, w, b);
    return act == Act::ReLU ? relu(plain) : leakyRelu(plain, slope);
  }
  const core::FusedAct fused = fusedAct(act, slope);
  Shape shape = x.shape();
  shape[shape.rank() - 1] = w.size(0);
  if (anyShapeOnly(std::initializer_list<const Tensor*>{&x, &w})) count(shape, w.size(1));
  if (x.rank() == 2) return linearRows(x, w, b, fused);
  i64 rows = 1;
  for (int i = 0; i < x.rank() - 1; ++i) rows *= x.size(i);
  return reshape(linearRows(reshape(x, {rows, w.size(1)}), w, b, fused), shape);
}

}  // namespace ember
