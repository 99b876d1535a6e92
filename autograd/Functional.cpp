#include <ember/autograd/Functional.h>

#include <string>

#include <ember/autograd/Graph.h>
#include <ember/autograd/Op.h>
#include <ember/core/Error.h>

namespace ember {
namespace {

using Function = std::function<Tensors(const Tensors&)>;

Tensors variables(const char* op, const Tensors& inputs) {
  Tensors copies;
  for (const Tensor& input : inputs) {
    autograd::checkOperands(op, {&input});
    autograd::checkFloating(op, input, "input");
    copies.push_back(input.detach());
    copies.back().setRequiresGrad();
  }
  return copies;
}

void checkVectors(const char* op, const Tensors& v, const Tensors& of, const char* what) {
  if (v.size() != of.size()) {
    throw ValueError(op, std::to_string(v.size()) + " vectors for " + std::to_string(of.size()) + " " + what + "s", {},
                     std::string("give one for each ") + what);
  }
  for (std::size_t i = 0; i < v.size(); ++i) {
    autograd::checkOperands(op, {&v[i]});
    autograd::checkSameDtype(op, v[i], of[i], "the vector", what);
    if (v[i].shape() != of[i].shape()) {
      throw ShapeError(op, "vector " + std::to_string(i) + " is " + toString(v[i].shape()) + ", the " + what + " " +
                               toString(of[i].shape()));
    }
  }
}

Tensors outputsOf(const char* op, const Function& fn, const Tensors& inputs) {
  const autograd::Recording on;
  Tensors outputs = fn(inputs);
  for (const Tensor& output : outputs) autograd::checkOperands(op, {&output});
  return outputs;
}

Tensor zerosLike(const Tensor& t) { return Tensor::zeros(t.shape(), t.dtype()); }

// gradients() of those outputs that depend on anything; zeros for inputs that none depends on.
Tensors pulled(const Tensors& outputs, const Tensors& inputs, const Tensors& v, bool createGraph) {
  Tensors used, vectors;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].requiresGrad()) continue;
    used.push_back(outputs[i]);
    vectors.push_back(v[i]);
  }
  Tensors result(inputs.size());
  if (!used.empty()) result = gradients(used, inputs, {.createGraph = createGraph}, vectors);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!result[i].defined()) result[i] = zerosLike(inputs[i]);
  }
  return result;
}

Tensors detached(const Tensors& list) {
  Tensors result;
  for (const Tensor& t : list) result.push_back(t.detach());
  return result;
}

Function single(const std::function<Tensor(const Tensor&)>& fn) {
  return [&fn](const Tensors& in) { return Tensors{fn(in[0])}; };
}

}  // namespace

Derivative vjp(const std::function<Tensors(const Tensors&)>& fn, const Tensors& inputs, const Tensors& v) {
  constexpr const char* op = "vjp";
  const Tensors x = variables(op, inputs), y = outputsOf(op, fn, x);
  Tensors vectors = v;
  if (v.empty()) {
    for (const Tensor& output : y) {
      if (output.numel() != 1) {
        throw ShapeError(op, "a vector is implied for scalars only, an output is " + toString(output.shape()), {},
                         "pass a vector for each output");
      }
      vectors.push_back(Tensor::ones(output.shape(), output.dtype()));
    }
  }
  checkVectors(op, vectors, y, "output");
  return {detached(y), pulled(y, x, vectors, false)};
}

Derivative jvp(const std::function<Tensors(const Tensors&)>& fn, const Tensors& inputs, const Tensors& v) {
  constexpr const char* op = "jvp";
  const Tensors x = variables(op, inputs);
  checkVectors(op, v, x, "input");
  const Tensors y = outputsOf(op, fn, x);
  const autograd::Recording on;
  Tensors u;
  for (const Tensor& output : y) {
    Tensor zero = zerosLike(output);
    if (output.requiresGrad()) zero.setRequiresGrad();
    u.push_back(zero);
  }
  const Tensors g = pulled(y, x, u, true);
  Tensors products;
  for (const Tensor& each : u) products.push_back(each.requiresGrad() ? Tensor() : each);
  Tensors wanted;
  for (const Tensor& each : u) {
    if (each.requiresGrad()) wanted.push_back(each);
  }
  const Tensors found = pulled(g, wanted, v, false);
  std::size_t next = 0;
  for (Tensor& product : products) {
    if (!product.defined()) product = found[next++];
  }
  return {detached(y), products};
}

SingleDerivative jvp(const std::function<Tensor(const Tensor&)>& fn, const Tensor& input, const Tensor& v) {
  const Derivative result = jvp(single(fn), Tensors{input}, Tensors{v});
  return {result.outputs[0], result.products[0]};
}

Derivative hvp(const std::function<Tensor(const Tensors&)>& fn, const Tensors& inputs, const Tensors& v) {
  constexpr const char* op = "hvp";
  const Tensors x = variables(op, inputs);
  checkVectors(op, v, x, "input");
  const Tensors y = outputsOf(
      op, [&](const Tensors& in) { return Tensors{fn(in)}; }, x);
  if (y[0].numel() != 1)
    throw ShapeError(op, "the function gave " + toString(y[0].shape()) + ", a Hessian belongs to a scalar", {},
                     "reduce it with sum() or mean()");
  const autograd::Recording on;
  const Tensors g = pulled(y, x, {Tensor::ones(y[0].shape(), y[0].dtype())}, true);
  return {detached(y), pulled(g, x, v, false)};
}

SingleDerivative hvp(const std::function<Tensor(const Tensor&)>& fn, const Tensor& input, const Tensor& v) {
  const std::function<Tensor(const Tensors&)> many = [&](const Tensors& in) { return fn(in[0]); };
  const Derivative result = hvp(many, Tensors{input}, Tensors{v});
  return {result.outputs[0], result.products[0]};
}

}  // namespace ember
