#pragma once
#include <ember/core/kernels/FusedAct.h>

namespace ember {

/// Activation fused behind a layer. LeakyReLU takes a slope.
enum class Act : u8 { None, ReLU, LeakyReLU };

namespace autograd {

/// The same for kernels.
inline core::FusedAct fusedAct(Act act, double slope) {
  using Kind = core::FusedAct::Kind;
  if (act == Act::ReLU) return {Kind::Relu, 0};
  return act == Act::LeakyReLU ? core::FusedAct{Kind::LeakyRelu, slope} : core::FusedAct{};
}

}  // namespace autograd
}  // namespace ember
