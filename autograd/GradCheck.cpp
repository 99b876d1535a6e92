#include <ember/autograd/GradCheck.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>
#include <ember/core/Random.h>

namespace ember {
namespace {

using Function = std::function<Tensor(const Tensors&)>;
using Values = std::vector<double>;

std::string number(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

/// "[1, 2]" of the element at a row-major position.
std::string place(i64 position, const Shape& shape) {
  Shape index = shape;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    index[axis] = position % shape[axis];
    position /= shape[axis];
  }
  return toString(index);
}

/// Weights in ±[0.5, 1.5): none is near 0, where an error would hide.
Tensor weights(const Shape& shape, u64 stream) {
  Values values(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double draw = 2 * random::uniform({0, stream, 0}, i) - 1;
    values[i] = draw < 0 ? draw - 0.5 : draw + 0.5;
  }
  return Tensor::of<double>(values, shape);
}

class Checker {
 public:
  Checker(const char* op, const Function& fn, const Tensors& inputs, const GradCheckOptions& options)
      : op_(op), fn_(fn), options_(options), inputs_(inputs) {
    if (!(options.step > 0) || !(options.absoluteTolerance >= 0) || !(options.relativeTolerance >= 0)) {
      throw ValueError(op, "the step must be positive and tolerances not negative");
    }
    const bool choose = std::any_of(inputs.begin(), inputs.end(), [](const Tensor& t) { return t.requiresGrad(); });
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const bool wanted = isFloating(inputs[i].dtype()) && (!choose || inputs[i].requiresGrad());
      if (!wanted) continue;
      if (inputs[i].dtype() != DType::F64) {
        throw DtypeError(
            op, "input " + std::to_string(i) + " is " + std::string(name(inputs[i].dtype())) + ", expected f64",
            {{"input", toString(inputs[i].shape())}},
            "differences of f32 values are too coarse; convert with to(DType::F64)");
      }
      checked_.push_back(i);
      inputs_[i] = leaf(inputs[i].array().copy());
    }
    if (checked_.empty()) throw ValueError(op, "there is no floating input to check");
  }

  double run() {
    const Tensor y = result(inputs_);
    const Values first = y.toVector<double>();
    const Values again = result(inputs_).toVector<double>();
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (first[i] == again[i] || (std::isnan(first[i]) && std::isnan(again[i]))) continue;
      throw ValueError(op_,
                       "the function is not deterministic: element " + place(static_cast<i64>(i), y.shape()) +
                           " of its result was " + number(first[i]) + " and then " + number(again[i]),
                       {}, "seed what is random inside the function");
    }
    const Tensor r = weights(y.shape(), 1);
    const Values rs = r.toVector<double>();
    Tensors analytic(checked_.size());
    if (y.requiresGrad()) analytic = gradients({y}, chosen(), {}, {r});
    double worst = 0;
    for (std::size_t i = 0; i < checked_.size(); ++i) worst = std::max(worst, checkInput(checked_[i], analytic[i], rs));
    return worst;
  }

  /// Copies of the checked inputs.
  Tensors chosen() const {
    Tensors list;
    for (const std::size_t i : checked_) list.push_back(inputs_[i]);
    return list;
  }
  const std::vector<std::size_t>& checked() const { return checked_; }
  const Tensors& inputs() const { return inputs_; }

  Tensor result(const Tensors& inputs) const {
    const Tensor y = fn_(inputs);
    if (y.dtype() != DType::F64) {
      throw DtypeError(op_, "the result is " + std::string(name(y.dtype())) + ", expected f64",
                       {{"result", toString(y.shape())}});
    }
    return y;
  }

  /// |got - expected| in units of the tolerance.
  double distance(double got, double expected) const {
    const double allowed = options_.absoluteTolerance + options_.relativeTolerance * std::abs(expected);
    const double ratio = std::abs(got - expected) / allowed;
    return std::isnan(ratio) && !(got == expected) ? std::numeric_limits<double>::infinity()
           : std::isnan(ratio)                     ? 0
                                                   : ratio;
  }

  static Tensor leaf(core::NDArray array) { return Tensor(std::move(array), true); }

 private:
  double checkInput(std::size_t input, const Tensor& gradient, const Values& r) const {
    const Tensor& x = inputs_[input];
    const Values analytic =
        gradient.defined() ? gradient.toVector<double>() : Values(static_cast<std::size_t>(x.numel()), 0.0);
    double worst = 0;
    for (std::size_t j = 0; j < analytic.size(); ++j) {
      const Values up = moved(input, j, options_.step), down = moved(input, j, -options_.step);
      double numeric = 0;
      for (std::size_t k = 0; k < r.size(); ++k) numeric += r[k] * (up[k] - down[k]);
      numeric /= 2 * options_.step;
      const double error = distance(analytic[j], numeric);
      worst = std::max(worst, error);
      if (error <= 1) continue;
      throw NumericError(op_,
                         "input " + std::to_string(input) + ", element " + place(static_cast<i64>(j), x.shape()) +
                             ": the gradient is " + number(analytic[j]) + ", differences say " + number(numeric),
                         {{"input", toString(x.shape())}, {"value", number(x.toVector<double>()[j])}},
                         "look at the backward of the ops in between, or for a kink of the function at this point");
    }
    return worst;
  }

  /// fn with one element moved.
  Values moved(std::size_t input, std::size_t element, double by) const {
    const core::NDArray& x = inputs_[input].array();
    Values values = x.toVector<double>();
    values[element] += by;
    Tensors inputs = inputs_;
    inputs[input] = leaf(core::NDArray::from<double>(values, x.shape()).contiguous(x.order()));
    return result(inputs).toVector<double>();
  }

  const char* op_;
  const Function& fn_;
  GradCheckOptions options_;
  Tensors inputs_;  // private copies of what is checked
  std::vector<std::size_t> checked_;
};

/// sum_i u_i · g_i over the gradients of fn's result with incoming gradient v, as a function of (inputs, v).
struct GradientOf {
  const Function& fn;
  const std::vector<std::size_t>& checked;

  Tensors raw(const Tensors& inputs, const Tensor& y, const Tensor& v, bool createGraph) const {
    Tensors wanted;
    for (const std::size_t i : checked) wanted.push_back(inputs[i]);
    return gradients({y}, wanted, {.retainGraph = true, .createGraph = createGraph}, {v});
  }

  Tensor operator()(const Tensors& inputsAndV) const {
    const Tensors inputs(inputsAndV.begin(), inputsAndV.end() - 1);
    const Tensor y = fn(inputs);
    Tensor total = Tensor::scalar(0, DType::F64);
    if (!y.requiresGrad()) return total;
    const Tensors gs = raw(inputs, y, inputsAndV.back(), true);
    for (std::size_t i = 0; i < gs.size(); ++i) {
      if (gs[i].defined()) total = total + sum(gs[i] * weights(gs[i].shape(), 3 + i));
    }
    return total;
  }
};

void comparePlain(const Checker& checker, const GradientOf& g, const Tensor& v) {
  const Tensor y = checker.result(checker.inputs());
  if (!y.requiresGrad()) return;
  const Tensors plain = g.raw(checker.inputs(), y, v, false), recorded = g.raw(checker.inputs(), y, v, true);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (plain[i].defined() != recorded[i].defined()) {
      throw NumericError("gradgradcheck", "input " + std::to_string(checker.checked()[i]) +
                                              " gets a gradient from one of plain backward and createGraph");
    }
    if (!plain[i].defined()) continue;
    const Values a = plain[i].toVector<double>(), b = recorded[i].toVector<double>();
    for (std::size_t j = 0; j < a.size(); ++j) {
      if (checker.distance(b[j], a[j]) <= 1) continue;
      throw NumericError("gradgradcheck",
                         "input " + std::to_string(checker.checked()[i]) + ", element " +
                             place(static_cast<i64>(j), plain[i].shape()) + ": a plain backward gives " + number(a[j]) +
                             ", with createGraph " + number(b[j]),
                         {}, "the fused and the composed backward of some op disagree");
    }
  }
}

Function lifted(const std::function<Tensor(const Tensor&)>& fn) {
  return [&fn](const Tensors& inputs) { return fn(inputs[0]); };
}

void requireFunction(const char* op, bool given) {
  if (!given) throw ValueError(op, "the function is empty", {}, "pass a function of the inputs");
}

}  // namespace

double gradcheck(const std::function<Tensor(const Tensors&)>& fn, const Tensors& inputs,
                 const GradCheckOptions& options) {
  requireFunction("gradcheck", static_cast<bool>(fn));
  return Checker("gradcheck", fn, inputs, options).run();
}

double gradgradcheck(const std::function<Tensor(const Tensors&)>& fn, const Tensors& inputs,
                     const GradCheckOptions& options) {
  requireFunction("gradgradcheck", static_cast<bool>(fn));
  const Checker first("gradgradcheck", fn, inputs, options);
  const Tensor v = weights(first.result(first.inputs()).shape(), 2);
  const GradientOf gradient{fn, first.checked()};
  comparePlain(first, gradient, v);
  Tensors all = first.inputs();
  all.push_back(Checker::leaf(v.array()));
  const Function second = gradient;
  return Checker("gradgradcheck", second, all, options).run();
}

double gradcheck(const std::function<Tensor(const Tensor&)>& fn, const Tensor& x, const GradCheckOptions& options) {
  requireFunction("gradcheck", static_cast<bool>(fn));
  return gradcheck(lifted(fn), Tensors{x}, options);
}

double gradgradcheck(const std::function<Tensor(const Tensor&)>& fn, const Tensor& x, const GradCheckOptions& options) {
  requireFunction("gradgradcheck", static_cast<bool>(fn));
  return gradgradcheck(lifted(fn), Tensors{x}, options);
}

}  // namespace ember
