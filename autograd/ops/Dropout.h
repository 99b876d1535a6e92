#pragma once
#include <ember/autograd/Tensor.h>

namespace ember {

/// Inverted dropout: while training, each element is zero with probability p and divided by 1-p otherwise, so the mean
/// stays; else x itself.
///
/// x  any shape, f32 or f64;  p in [0, 1], p = 1 gives zeros
///
/// The mask is a function of (seed, module path, call, element index): the same for any number of threads and any
/// memory order, and replayed when the counters are. Each training call advances the call counter, unless p is 0.
/// Differentiable any number of times. Throws ValueError if p is outside [0, 1].
/// Source: Srivastava et al. 2014, JMLR 15.
Tensor dropout(const Tensor& x, double p, bool training);

}  // namespace ember
