#pragma once
#include <functional>

#include <ember/nn/Init.h>
#include <ember/nn/Module.h>

namespace ember::nn::models {

/// How the weights of a whole net start: convolutions by He's normal distribution with biases of 0, norms by 1
/// and 0.
struct Start {
  init::Fan fan = init::Fan::Out;
  double linearStd = 0;     ///< of the normal distribution for linear layers; 0: uniform, as Linear draws
  bool zeroBiases = false;  ///< of linear layers; else uniform, too
};

/// Draws the weights of all convolutions, batch norms and linear layers of `net` so.
void draw(Module& net, const Start& start);

/// Builds a net without drawing for it, then draws once.
template <class Build>
auto started(const Start& start, Build&& build) {
  auto net = [&] {
    const init::Skip skip;
    return build();
  }();
  draw(net, start);
  return net;
}

}  // namespace ember::nn::models
