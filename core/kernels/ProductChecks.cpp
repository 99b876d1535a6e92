#include <ember/core/kernels/ProductChecks.h>

#include <string>

namespace ember::core {

void checkProductTypes(const char* op, const NDArray& a, const char* nameA, const NDArray& b, const char* nameB) {
  const std::string typeA(name(a.dtype())), typeB(name(b.dtype()));
  const Error::Details details{{"first", describe(nameA, a)}, {"second", describe(nameB, b)}};
  if (a.dtype() != b.dtype()) {
    throw DtypeError(op, std::string(nameA) + " is " + typeA + ", " + nameB + " is " + typeB, details,
                     "convert one of them with to()");
  }
  if (a.dtype() != DType::F32 && a.dtype() != DType::F64) {
    throw DtypeError(op, "cannot compute in " + typeA, details, "convert to f32 or f64");
  }
}

void checkBias(const char* op, const NDArray& bias, const NDArray& x, i64 outputs, const Error::Details& details) {
  if (!bias.defined()) return;
  checkProductTypes(op, x, "x", bias, "bias");
  const Shape expected{outputs};
  if (bias.shape() == expected) return;
  throw ShapeError(op, "bias has shape " + toString(bias.shape()) + ", expected " + toString(expected), details,
                   "a bias has one number for each output feature or filter");
}

}  // namespace ember::core
