#pragma once
#include <ember/autograd/ops/BatchNormOptions.h>

/// When batch norm may write its output over its input.
namespace ember::autograd::batchnorm {

/// Throws StateError unless the memory of x may be overwritten at all: the unshared result of an op.
void checkInplaceInput(const Tensor& x);

/// Throws ValueError for a type or activation from which a recorded forward could not rebuild x.
void checkInplaceRecorded(const Tensor& x, const BatchNormOptions& options);

/// Whether xh = (y-beta)/gamma comes back exactly enough in every channel: its relative error is
/// eps·(1 + |beta/gamma|), held against 1e-5 (f32) or 1e-12 (f64), and gamma·xh must not be subnormal.
bool rebuildable(const Tensor& x, const Tensor& gamma, const Tensor& beta, const BatchNormOptions& options);

}  // namespace ember::autograd::batchnorm
