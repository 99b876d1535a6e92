// What layers are made of: activations, normalisation, matrix products, losses.
#include "conformance/Helpers.h"

namespace ember::test::onnx {
namespace {

/// op along `axis`; before version 13 over all axes from `axis` on as one.
template <Tensor (*op)(const Tensor&, int)>
Tensors alongAxis(const Call& call) {
  const Tensor& x = call.in(0);
  const int axis = static_cast<int>(call.integer("axis", call.opset < 13 ? 1 : -1));
  if (call.opset >= 13) return {op(x, axis)};
  const int first = axis < 0 ? axis + x.rank() : axis;
  return {reshape(op(flatten(x, first), first), x.shape())};
}

Tensors batchNormalization(const Call& call) {
  BatchNormOptions options;
  options.epsilon = call.number("epsilon", 1e-5);
  options.training = call.integer("training_mode", 0) != 0;
  options.momentum = call.number("momentum", 0.9);  // the weight of the old statistic there and here
  options.varEstimator = VarEstimator::Biased;
  const Tensor mean = call.in(3).clone(), var = call.in(4).clone();
  const Tensor y = batchNorm(call.in(0), call.in(1), call.in(2), mean, var, options);
  return {y, mean, var};
}

Tensors layerNormalization(const Call& call) {
  const Tensor& x = call.in(0);
  const int first = normalizeAxis(static_cast<int>(call.integer("axis", -1)), x.rank(), "axis");
  const double epsilon = call.number("epsilon", 1e-5);
  Shape normalized;
  std::vector<int> axes;
  for (int axis = first; axis < x.rank(); ++axis) {
    normalized.push(x.size(axis));
    axes.push_back(axis);
  }
  const Tensor y = layerNorm(x, normalized, call.in(1),
                             call.has(2) ? call.in(2) : Tensor(), epsilon);
  return {y, mean(x, axes, true), rsqrt(var(x, axes, true, 0) + epsilon)};
}

Tensors instanceNormalization(const Call& call) {
  return {instanceNorm(call.in(0), call.in(1), call.in(2), call.number("epsilon", 1e-5))};
}

Tensors localResponse(const Call& call) {
  return {localResponseNorm(call.in(0), call.integer("size", 1), call.number("alpha", 1e-4),
                            call.number("beta", 0.75), call.number("bias", 1))};
}

Tensors meanVarianceNormalization(const Call& call) {
  const Tensor& x = call.in(0);
  const std::vector<int> axes = toAxes(call.integers("axes", {0, 2, 3}));
  return {(x - mean(x, axes, true)) / sqrt(var(x, axes, true, 0))};
}

Tensors dropOut(const Call& call) {
  const bool training = call.has(2) && call.in(2).item() != 0;
  const double ratio = call.scalar("ratio", 1, 0.5);
  if (training && ratio != 0) throw Unsupported("another generator's random numbers");
  const Tensor& x = call.in(0);
  return {dropout(x, ratio, training), Tensor::ones(x.shape(), DType::Bool)};
}

Tensors gemm(const Call& call) {
  const Tensor a = call.integer("transA", 0) ? transpose(call.in(0), 0, 1) : call.in(0);
  const Tensor b = call.integer("transB", 0) ? transpose(call.in(1), 0, 1) : call.in(1);
  const Tensor product = matmul(a, b) * call.number("alpha", 1);
  return {call.has(2) ? product + call.in(2) * call.number("beta", 1) : product};
}

Reduction reductionOf(const Call& call) {
  const std::string word = call.text("reduction", "mean");
  return word == "none" ? Reduction::None : word == "sum" ? Reduction::Sum : Reduction::Mean;
}

Tensors softmaxCrossEntropy(const Call& call) {
  CrossEntropyOptions options;
  options.reduction = reductionOf(call);
  options.ignoreIndex = call.integer("ignore_index", -100);
  if (call.has(2)) options.classWeights = call.in(2);
  const Tensor& logits = call.in(0);
  return {crossEntropy(logits, cast(call.in(1), DType::I64), options), logSoftmax(logits, 1)};
}

/// f(x, alpha), with the default of ONNX.
template <Tensor (*f)(const Tensor&, double)>
Tensors withAlpha(const Call& call, double otherwise) {
  return {f(call.in(0), call.number("alpha", otherwise))};
}

Tensors seluOf(const Call& call) {
  if (!call.hasAttribute("alpha") && !call.hasAttribute("gamma")) return {selu(call.in(0))};
  return {elu(call.in(0), call.number("alpha", 1.67326319217681884765625)) *
          call.number("gamma", 1.05070102214813232421875)};
}

/// PyTorch's is the one of alpha = 1/6.
Tensors hardSigmoid(const Call& call) {
  return {clamp(call.in(0) * call.number("alpha", 0.2) + call.number("beta", 0.5), 0, 1)};
}

/// Before version 7 a slope of one axis belongs to the channels; since then it broadcasts.
Tensors preluOf(const Call& call) {
  const Tensor &x = call.in(0), &slope = call.in(1);
  if (call.opset < 7) return {prelu(x, slope)};
  return {where(x > 0, x, x * slope)};
}

Tensors shrink(const Call& call) {
  const Tensor& x = call.in(0);
  const double lambda = call.number("lambd", 0.5), bias = call.number("bias", 0);
  if (bias == 0) return {hardshrink(x, lambda)};
  if (bias == lambda) return {softshrink(x, lambda)};
  throw Unsupported("shrinking by another number than the threshold");
}

Tensors negativeLogLikelihood(const Call& call) {
  NllOptions options;
  options.reduction = reductionOf(call);
  options.ignoreIndex = call.integer("ignore_index", -100);
  if (call.has(2)) options.classWeights = call.in(2);
  return {nll(call.in(0), cast(call.in(1), DType::I64), options)};
}

constexpr Row rows[] = {
    {"BatchNormalization", Match::Near, batchNormalization},
    {"Celu", Match::Near, [](const Call& c) { return withAlpha<celu>(c, 1); }},
    {"Dropout", Match::Exact, dropOut},
    {"Einsum", Match::Near, [](const Call& c) { return Tensors{einsum(c.text("equation", ""), c.inputs)}; }},
    {"Elu", Match::Near, [](const Call& c) { return withAlpha<elu>(c, 1); }},
    {"Gemm", Match::Near, gemm},
    {"HardSigmoid", Match::Near, hardSigmoid},
    {"HardSwish", Match::Near, unary<hardswish>},
    {"InstanceNormalization", Match::Near, instanceNormalization},
    {"LRN", Match::Near, localResponse},
    {"LayerNormalization", Match::Near, layerNormalization},
    {"LeakyRelu", Match::Near, [](const Call& c) { return withAlpha<leakyRelu>(c, 0.01); }},
    {"LogSoftmax", Match::Near, alongAxis<logSoftmax>},
    {"MatMul", Match::Near, binary<matmul>},
    {"MeanVarianceNormalization", Match::Near, meanVarianceNormalization},
    {"Mish", Match::Near, unary<mish>},
    {"NegativeLogLikelihoodLoss", Match::Near, negativeLogLikelihood},
    {"PRelu", Match::Near, preluOf},
    {"Relu", Match::Exact, unary<relu>},
    {"Selu", Match::Near, seluOf},
    {"Shrink", Match::Near, shrink},
    {"Sigmoid", Match::Near, unary<sigmoid>},
    {"Softmax", Match::Near, alongAxis<softmax>},
    {"SoftmaxCrossEntropyLoss", Match::Near, softmaxCrossEntropy},
    {"Softplus", Match::Near, unary<softplus>},
    {"Softsign", Match::Near, unary<softsign>},
    {"Tanh", Match::Near, unary<tanh>},
    {"ThresholdedRelu", Match::Exact,
     [](const Call& c) { return Tensors{threshold(c.in(0), c.number("alpha", 1), 0)}; }},
};

}  // namespace

std::span<const Row> nnOps() { return rows; }

}  // namespace ember::test::onnx
