#include <ember/autograd/ops/LossShared.h>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Reduce.h>
#include <fmt/core.h>

namespace ember::autograd::loss {

void throwNoSamples(const char* op, const Shape& shape, const std::string& why) {
  throw ValueError(op, "mean over 0 samples" + why, {{"input", toString(shape)}},
                   "skip empty batches, or reduce with Sum");
}

void checkPair(const char* op, const Tensor& x, const Tensor& other, Reduction reduction, const char* nameX,
               const char* nameOther) {
  checkOperands(op, {&x, &other});
  checkFloating(op, x, nameX);
  checkSameDtype(op, x, other, nameX, nameOther);
  if (x.shape() != other.shape()) {
    throw ShapeError(op,
                     fmt::format("{} is {}, {} is {}", nameX, toString(x.shape()), nameOther, toString(other.shape())),
                     {}, "a loss never broadcasts: reshape one of them to the shape of the other");
  }
  if (reduction == Reduction::Mean && x.numel() == 0) throwNoSamples(op, x.shape());
}

void checkWeight(const char* op, const Tensor& x, const Tensor& weight, const char* name) {
  checkOperands(op, {&weight});
  checkSameDtype(op, x, weight, "x", name);
  if (weight.requiresGrad()) {
    throw ValueError(op, fmt::format("{} requires a gradient, but it is a constant here", name), {},
                     fmt::format("pass {}.detach()", name));
  }
  if (broadcastShapes(x.shape(), weight.shape(), op) != x.shape()) {
    throw ShapeError(op, fmt::format("{} {} does not fit x {}", name, toString(weight.shape()), toString(x.shape())),
                     {}, "give one weight a class, or one an element");
  }
}

void require(bool holds, const char* op, const char* name, double value, const char* rule) {
  if (!holds) throw ValueError(op, fmt::format("{} is {}, must be {}", name, value, rule));
}

void checkSigns(const char* op, const Tensor& target) {
  if (target.isShapeOnly()) return;
  const std::vector<double> values = target.toVector<double>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] == 1 || values[i] == -1) continue;
    throw ValueError(op, fmt::format("target {} at element {} is neither 1 nor -1", values[i], i),
                     {{"target", toString(target.shape())}}, "turn labels 0 and 1 into 2·label - 1");
  }
}

void checkRange(const char* op, const Tensor& x, const char* name, double low, double high, const char* help) {
  if (x.isShapeOnly() || x.numel() == 0) return;
  const auto extreme = [&](core::Reduction kind) {
    return core::reduce(kind, x.array(), {}, false, op).toVector<double>()[0];
  };
  const double least = extreme(core::Reduction::Min), most = extreme(core::Reduction::Max);
  if (!(least < low) && !(most > high)) return;
  throw ValueError(
      op, fmt::format("{} has a value of {}, must be in [{}, {}]", name, least < low ? least : most, low, high),
      {{name, toString(x.shape())}}, help);
}

Tensor reduced(const Tensor& losses, Reduction reduction) {
  if (reduction == Reduction::None) return losses;
  return reduction == Reduction::Mean ? mean(losses) : sum(losses);
}

Tensor masked(const Tensor& mask, const Tensor& x) { return where(mask, x, Tensor::zeros({}, x.dtype())); }

}  // namespace ember::autograd::loss
