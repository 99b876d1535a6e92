#pragma once
#include <ember/core/Error.h>
#include <ember/core/NDArray.h>

/// What convolutions and matrix products ask of their operands.
namespace ember::core {

/// Throws DtypeError unless a and b are both f32 or both f64.
void checkProductTypes(const char* op, const NDArray& a, const char* nameA, const NDArray& b, const char* nameB);
/// Throws unless the bias is undefined, or one number for each row (filter) of w in the type of x.
void checkBias(const char* op, const NDArray& bias, const NDArray& x, const NDArray& w);

}  // namespace ember::core
