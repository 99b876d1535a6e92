#pragma once
#include <vector>

#include "Program.h"

/// The ways in which oneDNN can compute a convolution or a fully connected layer: direct or Winograd, on the layouts
/// that are there or on those it prefers. fastest() chooses.
namespace bench::raw {

struct Conv {
  Dims x, w, y;  ///< [N, C, ...], [K, C, ...], [N, K, ...]
  Dims stride, padding;
  bool bias = false;
  bool training = true;
};

/// `post` are the post-ops. y is free, or in the layout `y`.
std::vector<Way> forwardWays(const Conv&, const Desc& x, const Desc& y, const dnnl::primitive_attr& post);
/// The gradient of x, for the layouts of x, of the parameter and of y's gradient.
std::vector<Way> backwardDataWays(const Conv&, const Desc& x, const Desc& w, const Desc& dy);
std::vector<Way> backwardWeightsWays(const Conv&, const Desc& x, const Desc& w, const Desc& dy);

/// y [N, O] = x·wT + b; x [N, C, ...] in any layout, w of the dims of x with O for N.
std::vector<Way> linearForwardWays(const Desc& x, const Dims& w, const Dims& y, bool training,
                                   const dnnl::primitive_attr& post);
std::vector<Way> linearBackwardDataWays(const Desc& x, const Desc& w, const Desc& dy);
std::vector<Way> linearBackwardWeightsWays(const Desc& x, const Desc& w, const Desc& dy);

}  // namespace bench::raw
