#include <ember/autograd/Function.h>

#include <algorithm>
#include <mutex>
#include <set>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/core/Error.h>
#include <ember/core/TraceSpan.h>

namespace ember {
namespace {

// Nodes keep the names of their ops as addresses; those of custom functions live here for ever.
const char* interned(std::string_view name) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> names;
  const std::lock_guard lock(mutex);
  return names.emplace(name).first->c_str();
}

}  // namespace

struct FunctionContext::Slot {
  autograd::Saved value;
  int output = -1;            // a saved output is fetched from the node: holding it would be a cycle
  bool intermediate = false;  // neither input nor output: its dependence on the inputs is not recorded
};

Tensor FunctionContext::saved(int n) const {
  if (!running_) throw StateError("custom", "saved() was called outside the backward");
  if (n < 0 || n >= static_cast<int>(slots_->size())) {
    throw ValueError(running_->op(),
                     "saved(" + std::to_string(n) + ") of " + std::to_string(slots_->size()) + " saved tensors");
  }
  const Slot& slot = (*slots_)[static_cast<std::size_t>(n)];
  if (slot.intermediate && gradEnabled()) {
    throw StateError(running_->op(),
                     "saved tensor " + std::to_string(n) +
                         " is neither input nor output, so its dependence on the inputs is not recorded",
                     {}, "save inputs or outputs only, or compute the value again in the backward");
  }
  return slot.output >= 0 ? running_->output(slot.output) : slot.value.get(*running_);
}

bool FunctionContext::needs(int input) const {
  if (!running_) throw StateError("custom", "needs() was called outside the backward");
  return running_->needs(input);
}

struct CustomFunction {
  FunctionContext context;
  CustomBackward backward;
  bool differentiable;

  void keep(const Tensors& inputs, const Tensors& outputs) {
    const auto isIn = [](const Tensors& list, const Tensor& t) {
      return std::find_if(list.begin(), list.end(), [&](const Tensor& other) { return other.impl() == t.impl(); });
    };
    std::vector<FunctionContext::Slot> slots;
    for (const Tensor& t : context.kept_) {
      FunctionContext::Slot slot;
      if (!t.defined() || isIn(inputs, t) != inputs.end()) {
        slot.value = autograd::Saved(t);
      } else if (const auto output = isIn(outputs, t); output != outputs.end()) {
        slot.output = static_cast<int>(output - outputs.begin());
      } else {
        slot.value = autograd::Saved(t);
        slot.intermediate = isFloating(t.dtype());
      }
      slots.push_back(std::move(slot));
    }
    context.slots_ = std::make_shared<const std::vector<FunctionContext::Slot>>(std::move(slots));
    context.kept_.clear();
  }

  bool savesOutputs() const {
    return std::any_of(context.slots_->begin(), context.slots_->end(),
                       [](const auto& slot) { return slot.output >= 0; });
  }

  Tensors operator()(const autograd::BackwardContext& c) const {
    if (gradEnabled() && !differentiable) {
      throw StateError(c.op(), "its backward cannot be differentiated, but createGraph asks for it", {},
                       "write the backward in differentiable ops and say {.differentiableBackward = true}");
    }
    FunctionContext here = context;
    here.running_ = &c;
    Tensors outputGradients;
    for (int i = 0; i < c.outputs(); ++i) outputGradients.push_back(c.grad(i));
    Tensors gradients = backward(here, outputGradients);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      if (i < c.inputs() && c.needs(static_cast<int>(i)) && !gradients[i].defined()) {
        throw StateError(c.op(), "its backward gave no gradient for input " + std::to_string(i) + ", which needs one",
                         {}, "return zeros where the gradient is zero; undefined is for inputs that needs() denies");
      }
    }
    return gradients;
  }
};

Tensors customMany(std::string_view name, const Tensors& inputs, CustomForward forward, CustomBackward backward,
                   const CustomOptions& options) {
  const char* op = interned(name);
  if (!forward) throw ValueError(op, "its forward is empty", {}, "pass a function");
  std::vector<const Tensor*> operands;
  for (const Tensor& input : inputs) operands.push_back(&input);
  autograd::checkOperands(op, operands);
  const bool hasBackward = static_cast<bool>(backward);
  CustomFunction function{{}, std::move(backward), options.differentiableBackward};
  Tensors outputs;
  {
    const NoGrad off;
    core::TraceSpan span(core::TraceSpan::Kind::Op, op);
    outputs = forward(function.context, inputs);
    if (span.open()) {
      for (const Tensor& output : outputs) span.output(output.defined() ? output.array().bytes() : 0);
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined()) throw StateError(op, "its forward gave an undefined output " + std::to_string(i));
  }
  if (autograd::anyShapeOnly(operands)) return outputs;
  if (!autograd::needsRecording(operands)) {
    for (Tensor& output : outputs) output = autograd::wrap(op, output.array(), operands);
    return outputs;
  }
  if (!hasBackward)
    throw ValueError(op, "its backward is empty, but an input requires a gradient", {}, "pass a function");
  function.keep(inputs, outputs);
  const auto save = function.savesOutputs() ? autograd::SaveOutputs::Yes : autograd::SaveOutputs::No;
  std::vector<core::NDArray> arrays;
  for (const Tensor& output : outputs) arrays.push_back(output.array());
  return autograd::record(op, operands, std::move(arrays), std::move(function), save);
}

Tensor custom(std::string_view name, const Tensors& inputs, CustomForward forward, CustomBackward backward,
              const CustomOptions& options) {
  Tensors outputs = customMany(name, inputs, std::move(forward), std::move(backward), options);
  if (outputs.size() != 1)
    throw StateError(name, "its forward gave " + std::to_string(outputs.size()) + " outputs, expected 1");
  return std::move(outputs[0]);
}

}  // namespace ember
