#pragma once
#include <string>

#include <ember/autograd/ops/LossOptions.h>

/// What the losses share: their checks and reductions.
namespace ember::autograd::loss {

/// Throws ValueError: a mean over nothing.
[[noreturn]] void throwNoSamples(const char* op, const Shape& shape, const std::string& why = {});
/// Throws unless x is f32 or f64, `other` of its type and shape, and a mean has something to be over. The names stand
/// in messages.
void checkPair(const char* op, const Tensor& x, const Tensor& other, Reduction reduction, const char* nameX = "x",
               const char* nameOther = "target");
/// Throws unless `weight` is a constant of x's type that broadcasts to x's shape.
void checkWeight(const char* op, const Tensor& x, const Tensor& weight, const char* name);
/// Throws ValueError unless the option holds ("delta is 0, must be above 0").
void require(bool holds, const char* op, const char* name, double value, const char* rule);
/// Throws ValueError unless every value is 1 or -1. Tensors of shape alone pass.
void checkSigns(const char* op, const Tensor& target);
/// Throws ValueError if a value is below `low` or above `high`; NaN and tensors of shape alone pass.
void checkRange(const char* op, const Tensor& x, const char* name, double low, double high, const char* help);

/// The losses themselves, their mean or their sum.
Tensor reduced(const Tensor& losses, Reduction reduction);
/// mask ? x : 0. What is masked has gradient 0, whatever x is there.
Tensor masked(const Tensor& mask, const Tensor& x);

}  // namespace ember::autograd::loss
