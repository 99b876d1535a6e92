#pragma once
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include <ember/autograd/Tensor.h>

namespace ember {

namespace autograd {
class BackwardContext;
}

/// What passes from the forward to the backward of a custom function.
class FunctionContext {
 public:
  /// Keeps a tensor for the backward: inputs, outputs, or intermediate values. In forward only.
  void save(const Tensor& t) { kept_.push_back(t); }
  /// The tensor of the n-th save(). In backward only. Throws StateError if it was overwritten in between, naming the
  /// writer.
  Tensor saved(int n = 0) const;
  /// Whether the gradient of that input is wanted; an undefined Tensor may be returned for others.
  bool needs(int input) const;

 private:
  friend struct CustomFunction;
  struct Slot;
  Tensors kept_;
  std::shared_ptr<const std::vector<Slot>> slots_;  // what kept_ became when the forward was done
  const autograd::BackwardContext* running_ = nullptr;
};

/// Computes the outputs. Runs without recording.
using CustomForward = std::function<Tensors(FunctionContext&, const Tensors& inputs)>;
/// Computes the gradients of the inputs (one each, of their shapes) from those of the outputs, of which one that
/// nothing used is undefined.
using CustomBackward = std::function<Tensors(const FunctionContext&, const Tensors& outputGradients)>;

struct CustomOptions {
  /// The backward is written in differentiable ops, so it may be differentiated again. Otherwise it runs without
  /// recording and createGraph throws StateError.
  bool differentiableBackward = false;
};

/// A function with a gradient of the user's own.
///
///   Tensor cube(const Tensor& x) {
///     return custom("cube", {x},
///         [](FunctionContext& c, const Tensors& in) { c.save(in[0]); return Tensors{in[0] * in[0] * in[0]}; },
///         [](const FunctionContext& c, const Tensors& dy) { return Tensors{dy[0] * c.saved() * c.saved() * 3}; },
///         {.differentiableBackward = true});
///   }
///
/// `name` stands in errors and reports. A gradient of another shape or type than its input throws ShapeError in
/// backward, a wrong number of them StateError; both name the function.
Tensor custom(std::string_view name, const Tensors& inputs, CustomForward, CustomBackward, const CustomOptions& = {});
/// The same with any number of outputs.
Tensors customMany(std::string_view name, const Tensors& inputs, CustomForward, CustomBackward,
                   const CustomOptions& = {});

}  // namespace ember
