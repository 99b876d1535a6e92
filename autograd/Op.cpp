#include <ember/autograd/Op.h>

#include <cmath>
#include <string>
#include <utility>

#include <ember/core/Error.h>
#include <ember/core/Scope.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::autograd {
namespace {

thread_local bool resultsUnchecked = false;

// "NaN", "infinity", "NaN and infinity" in an array that has some, and how many elements they are.
std::pair<std::string, i64> badElements(const core::NDArray& array) {
  bool nan = false, infinite = false;
  i64 count = 0;
  for (const double value : array.toVector<double>()) {
    if (std::isfinite(value)) continue;
    ++count;
    (std::isnan(value) ? nan : infinite) = true;
  }
  return {nan && infinite ? "NaN and infinity" : nan ? "NaN" : "infinity", count};
}

// Every result is looked at, so what no op of ours made is where a bad operand comes from.
const char* originOf(const TensorImpl& impl) {
  if (impl.opResult) return " was computed before anomaly mode began";
  if (impl.requiresGrad) return " stands in a leaf that requires a gradient, a parameter perhaps";
  return " came in with the data";
}

void checkFinite(const char* op, const core::NDArray& result, Operands operands) {
  if (resultsUnchecked || core::allFinite(result)) return;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!operands[i] || !operands[i]->impl()->array.hasStorage()) continue;
    const TensorImpl& impl = *operands[i]->impl();
    // What the op itself has overwritten says nothing of what it was given.
    if (impl.array.version() != impl.version || core::allFinite(impl.array)) continue;
    const auto [kind, count] = badElements(impl.array);
    const std::string which = "operand " + std::to_string(i);
    throw NumericError(op, which + " was already non-finite: " + kind + originOf(impl),
                       {{which, toString(impl.array.shape()) + ", " + std::to_string(count) + " of " +
                                    std::to_string(impl.array.numel()) + " elements"}},
                       "look at where this operand is made; the op only passes on what it was given");
  }
  throw NumericError(
      op, "the result is the first with NaN or infinity", {{"result", toString(result.shape())}},
      "its operands are finite: look for a too large learning rate, a division by zero, a logarithm of zero");
}

std::shared_ptr<TensorImpl> makeImpl(core::NDArray array) {
  auto impl = std::make_shared<TensorImpl>();
  impl->version = array.version();
  impl->array = std::move(array);
  impl->opResult = true;
  return impl;
}

}  // namespace

void checkOperands(const char* op, Operands operands) {
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!operands[i]) continue;
    if (!operands[i]->defined()) {
      throw StateError(op, "operand " + std::to_string(i) + " is an undefined tensor", {}, "give it a value first");
    }
    TensorImpl& impl = *operands[i]->impl();
    impl.settle();
    if (impl.array.version() != impl.version) {
      throw StateError(
          op, "operand " + std::to_string(i) + " was overwritten in place by " + impl.array.storage()->lastWriter(),
          {{"operand", toString(impl.array.shape())},
           {"reader", std::string(op)},
           {"writer", impl.array.storage()->lastWriter()}},
          "turn inplace off at the writer, or read the operand before it");
    }
  }
}

bool anyShapeOnly(Operands operands) {
  for (const Tensor* operand : operands) {
    if (operand && !operand->impl()->array.hasStorage()) return true;
  }
  return false;
}

bool needsRecording(Operands operands) {
  if (!gradEnabled()) return false;
  for (const Tensor* operand : operands) {
    if (operand && operand->impl()->requiresGrad) return true;
  }
  return false;
}

void checkSameDtype(const char* op, const Tensor& a, const Tensor& b, const char* nameA, const char* nameB) {
  if (!a.defined() || !b.defined() || a.dtype() == b.dtype()) return;
  throw DtypeError(op,
                   std::string(nameA) + " is " + std::string(name(a.dtype())) + " and " + nameB + " is " +
                       std::string(name(b.dtype())),
                   {{nameA, toString(a.shape())}, {nameB, toString(b.shape())}}, "convert one of them with to()");
}

void checkFloating(const char* op, const Tensor& x, const char* nameX) {
  if (!x.defined() || x.dtype() == DType::F32 || x.dtype() == DType::F64) return;
  throw DtypeError(op, std::string(nameX) + " is " + std::string(name(x.dtype())) + ", expected f32 or f64",
                   {{nameX, toString(x.shape())}}, "convert it with to(DType::F32)");
}

ResultsUnchecked::ResultsUnchecked() noexcept : before_(std::exchange(resultsUnchecked, true)) {}
ResultsUnchecked::~ResultsUnchecked() { resultsUnchecked = before_; }

namespace {

std::shared_ptr<Node> makeNode(const char* op, Operands operands, BackwardFn backward) {
  auto node = std::make_shared<Node>(op);
  node->inputs.resize(operands.size());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!operands[i] || !operands[i]->impl()->requiresGrad) continue;
    const auto& impl = operands[i]->impl();
    Node::Edge& edge = node->inputs[i];
    if (impl->node) {
      edge.node = impl->node;
      edge.output = impl->output;
    } else {
      edge.leaf = impl;
    }
  }
  if (AnomalyMode::enabled() || core::tracing()) node->module = core::currentModule();
  node->backward = std::move(backward);
  return node;
}

Tensor outputOf(const std::shared_ptr<Node>& node, core::NDArray result, Operands operands, SaveOutputs save) {
  if (AnomalyMode::enabled()) checkFinite(node->op, result, operands);
  const auto output = static_cast<u32>(node->outputs.size());
  node->outputs.push_back({result.shape(), result.dtype()});
  if (save == SaveOutputs::Yes) node->savedOutputs.emplace_back(result, result.version());
  auto impl = makeImpl(std::move(result));
  if (isFloating(impl->array.dtype())) {
    impl->requiresGrad = true;
    impl->node = node;
    impl->output = output;
  }
  return Tensor(std::move(impl));
}

}  // namespace

Tensors record(const char* op, Operands operands, std::vector<core::NDArray> results, BackwardFn backward,
               SaveOutputs save) {
  const auto node = makeNode(op, operands, std::move(backward));
  Tensors tensors;
  tensors.reserve(results.size());
  for (auto& result : results) tensors.push_back(outputOf(node, std::move(result), operands, save));
  return tensors;
}

Tensor recordOne(const char* op, Operands operands, core::NDArray result, BackwardFn backward, SaveOutputs save) {
  return outputOf(makeNode(op, operands, std::move(backward)), std::move(result), operands, save);
}

Tensor wrap(const char* op, core::NDArray result, Operands operands) {
  if (AnomalyMode::enabled()) checkFinite(op, result, operands);
  return Tensor(makeImpl(std::move(result)));
}

i64& multiplyAdds() noexcept {
  thread_local i64 count = 0;
  return count;
}

}  // namespace ember::autograd
