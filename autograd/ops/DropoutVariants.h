#pragma once
#include <ember/autograd/Tensor.h>

/// Dropouts of more than single elements. While training, something is dropped with probability p and the rest scaled
/// so that the mean stays; else the result is x itself. x is f32 or f64.
///
/// What stays is a function of (seed, module path, call, index of what is dropped), as in dropout(): the same for any
/// number of threads and replayed when the counters are; a call in training advances the counter, unless p is 0.
/// p = 1 gives zeros. Differentiable any number of times. ValueError if p is outside [0, 1], ShapeError below rank 2
/// where channels are dropped, below rank 1 in dropPath.
namespace ember {

/// Drops whole channels of x [N, C, ...]. Tompson et al. 2015.
Tensor featureDropout(const Tensor& x, double p, bool training);
/// Behind selu: dropped elements take the value that selu has far on the left, then all are scaled and shifted so that
/// mean 0 and variance 1 stay. Klambauer et al. 2017.
Tensor alphaDropout(const Tensor& x, double p, bool training);
/// The same for whole channels of x [N, C, ...].
Tensor featureAlphaDropout(const Tensor& x, double p, bool training);
/// Drops whole samples of x [N, ...]: stochastic depth, for the branch of a residual block. Huang et al. 2016.
Tensor dropPath(const Tensor& x, double p, bool training);

}  // namespace ember
