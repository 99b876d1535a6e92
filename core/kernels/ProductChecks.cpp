#include <ember/core/kernels/ProductChecks.h>

#include <string>

namespace ember::core {

void checkProductTypes(const char* op, const NDArray& a, const char* nameA, const NDArray& b, const char* nameB) {
  const bool known = a.dtype() == DType::F32 || a.dtype() == DType::F64;
  if (known && a.dtype() == b.dtype()) return;
  const std::string typeA(name(a.dtype())), typeB(name(b.dtype()));
  const Error::Details details{{"first", describe(nameA, a)}, {"second", describe(nameB, b)}};
  if (a.dtype() != b.dtype()) {
    throw DtypeError(op, std::string(nameA) + " is " + typeA + ", " + nameB + " is " + typeB, details,
                     "convert one of them with to()");
  }
  throw DtypeError(op, "cannot compute in " + typeA, details, "convert to f32 or f64");
}

void checkBias(const char* op, const NDArray& bias, const NDArray& x, const NDArray& w) {
  if (!bias.defined()) return;
  checkProductTypes(op, x, "x", bias, "bias");
  if (bias.rank() == 1 && bias.size(0) == w.size(0)) return;
  throw ShapeError(op, "bias has shape " + toString(bias.shape()) + ", expected " + toString(Shape{w.size(0)}),
                   {{"input", describe("x", x)}, {"weights", describe("w", w)}},
                   "a bias has one number for each output feature or filter");
}

}  // namespace ember::core
