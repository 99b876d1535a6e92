#pragma once
#include <initializer_list>
#include <span>
#include <type_traits>

#include <ember/autograd/Graph.h>
#include <ember/core/TraceSpan.h>

/// How an op is written. Forward and backward stand beside each other in autograd/ops/<Family>.cpp:
///
///   Tensor exp(const Tensor& x) {
///     return apply("exp", {&x}, x.shape(), x.dtype(), [&] { return core::unary(core::Unary::Exp, x.array(), "exp"); },
///                  [](const BackwardContext& c) { return Tensors{c.grad() * c.output()}; }, SaveOutputs::Yes);
///   }
///
/// Rules: check arguments first (shape functions serve shape-only tensors too); the kernel lambda runs only on real
/// data; the backward lambda holds inputs as Saved; gradients are written with differentiable ops, so second
/// derivatives come free. Where a fused backward kernel is faster, use it if !gradEnabled() (a plain backward) and the
/// composed form otherwise.
namespace ember::autograd {

enum class SaveOutputs : bool { No, Yes };

/// The operands of one application: addresses of tensors, null for an absent optional one.
using Operands = std::span<const Tensor* const>;

/// Throws StateError unless every present operand is defined and its memory still holds its value.
void checkOperands(const char* op, Operands);
inline void checkOperands(const char* op, std::initializer_list<const Tensor*> operands) {
  checkOperands(op, Operands(operands.begin(), operands.size()));
}
bool anyShapeOnly(Operands);
/// Whether this application must be recorded: gradients are enabled and some operand requires one.
bool needsRecording(Operands);
/// Throws DtypeError unless a and b have the same dtype; `nameA`, `nameB` say what they are.
void checkSameDtype(const char* op, const Tensor& a, const Tensor& b, const char* nameA = "a", const char* nameB = "b");
/// Throws DtypeError unless x is f32 or f64.
void checkFloating(const char* op, const Tensor& x, const char* nameX = "x");

/// Wraps results of a recorded op. Checks them in anomaly mode.
Tensors record(const char* op, Operands, std::vector<core::NDArray> results, BackwardFn, SaveOutputs);
/// The same for an op of one result, without lists.
Tensor recordOne(const char* op, Operands, core::NDArray result, BackwardFn, SaveOutputs);
/// Wraps the result of an op that needs no node. In anomaly mode the operands tell whose fault a NaN is.
Tensor wrap(const char* op, core::NDArray result, Operands operands = {});

/// While it lives, anomaly mode does not look at results on this thread: the engine looks at whole gradients instead.
class ResultsUnchecked {
 public:
  ResultsUnchecked() noexcept;
  ~ResultsUnchecked();
  ResultsUnchecked(const ResultsUnchecked&) = delete;
  ResultsUnchecked& operator=(const ResultsUnchecked&) = delete;

 private:
  bool before_;
};

/// kernel(), under a trace.
template <class Kernel>
core::NDArray traced(const char* op, Kernel&& kernel) {
  core::TraceSpan span(core::TraceSpan::Kind::Op, op);
  core::NDArray result = kernel();
  span.output(result.bytes());
  return result;
}

/// Runs an op of one output: checks operands, handles shape-only tensors, calls kernel() -> NDArray, records backward.
/// Pass an empty lambda-less `nullptr` as backward for ops without gradient.
template <class Kernel, class Backward>
Tensor apply(const char* op, Operands operands, const Shape& shape, DType dtype, Kernel&& kernel, Backward&& backward,
             SaveOutputs save = SaveOutputs::No) {
  checkOperands(op, operands);
  if (anyShapeOnly(operands)) return Tensor::shapeOnly(shape, dtype);
  if constexpr (!std::is_same_v<std::decay_t<Backward>, std::nullptr_t>) {
    if (needsRecording(operands)) {
      return recordOne(op, operands, traced(op, kernel), BackwardFn(std::forward<Backward>(backward)), save);
    }
  }
  return wrap(op, traced(op, kernel), operands);
}
template <class Kernel, class Backward>
Tensor apply(const char* op, std::initializer_list<const Tensor*> operands, const Shape& shape, DType dtype,
             Kernel&& kernel, Backward&& backward, SaveOutputs save = SaveOutputs::No) {
  return apply(op, Operands(operands.begin(), operands.size()), shape, dtype, std::forward<Kernel>(kernel),
               std::forward<Backward>(backward), save);
}

/// Multiply-adds counted on this thread by shape functions of shape-only runs (summary reads it).
i64& multiplyAdds() noexcept;

}  // namespace ember::autograd
