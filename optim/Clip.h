#pragma once
#include <ember/nn/Module.h>

namespace ember::optim {

/// Euclidean norm of all present gradients together, in f64; 0 if none is present.
double gradNorm(const nn::Parameters&);
/// Scales all gradients by maxNorm / norm where the norm is larger (Pascanu et al. 2013). Returns the norm before.
/// maxNorm > 0. Throws NumericError naming the first parameter whose gradient is not finite, and changes nothing then.
double clipGradNorm(const nn::Parameters&, double maxNorm);
/// Clamps every gradient element to [-limit, limit]; limit > 0. NaN is a NumericError as above.
void clipGradValue(const nn::Parameters&, double limit);
/// Throws NumericError naming the first parameter whose gradient has NaN or infinity.
void checkGradsFinite(const nn::Parameters&, const char* op);

}  // namespace ember::optim
