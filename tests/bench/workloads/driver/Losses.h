#pragma once
#include <vector>

#include "Contest.h"

namespace bench {

/// Runs every contender on one batch from the same initial weights, training at learning rate 0.01, and writes into the
/// row how far its losses are from libtorch's (from ember's where there is no libtorch), and ember's in f64 from
/// libtorch's in f64. Training: 20 steps to 1e-4; W2 and W3, whose norms amplify rounding, 5 steps to 1e-3; 5 steps in
/// f64 of 4 samples. Inference: the losses of the samples, to 1e-4. A contender that fails has a problem afterwards.
void compareLosses(const Plan& plan, const std::vector<Contender>& all, Row& row);

/// max |a_i - b_i| / |b_i|; infinity for lists of other lengths, or with NaN.
double relativeDifference(const std::vector<double>& a, const std::vector<double>& b);

constexpr double f64Tolerance = 1e-8;

}  // namespace bench
