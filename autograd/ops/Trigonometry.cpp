#include <ember/autograd/ops/Trigonometry.h>

#include <cmath>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/LibraryFunction.h>
#include <ember/autograd/ops/Math.h>

namespace ember {

using autograd::libraryFunction;

Tensor tan(const Tensor& x) {
  return libraryFunction("tan", std::tan, std::tan, x,
                         [](const Tensor& g, const Tensor& v) { return g / square(cos(v)); });
}

Tensor asin(const Tensor& x) {
  return libraryFunction("asin", std::asin, std::asin, x,
                         [](const Tensor& g, const Tensor& v) { return g * rsqrt(1 - v * v); });
}

Tensor acos(const Tensor& x) {
  return libraryFunction("acos", std::acos, std::acos, x,
                         [](const Tensor& g, const Tensor& v) { return -g * rsqrt(1 - v * v); });
}

Tensor atan(const Tensor& x) {
  return libraryFunction("atan", std::atan, std::atan, x,
                         [](const Tensor& g, const Tensor& v) { return g / (v * v + 1); });
}

Tensor sinh(const Tensor& x) {
  return libraryFunction("sinh", std::sinh, std::sinh, x, [](const Tensor& g, const Tensor& v) { return g * cosh(v); });
}

Tensor cosh(const Tensor& x) {
  return libraryFunction("cosh", std::cosh, std::cosh, x, [](const Tensor& g, const Tensor& v) { return g * sinh(v); });
}

Tensor asinh(const Tensor& x) {
  return libraryFunction("asinh", std::asinh, std::asinh, x,
                         [](const Tensor& g, const Tensor& v) { return g * rsqrt(v * v + 1); });
}

Tensor acosh(const Tensor& x) {
  return libraryFunction("acosh", std::acosh, std::acosh, x,
                         [](const Tensor& g, const Tensor& v) { return g * rsqrt(v * v - 1); });
}

Tensor atanh(const Tensor& x) {
  return libraryFunction("atanh", std::atanh, std::atanh, x,
                         [](const Tensor& g, const Tensor& v) { return g / (1 - v * v); });
}

}  // namespace ember
