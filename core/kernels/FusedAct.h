#pragma once
#include <ember/core/DType.h>

namespace ember::core {

/// Activation fused behind a kernel that writes. LeakyRelu takes `slope`.
struct FusedAct {
  enum class Kind : u8 { None, Relu, LeakyRelu } kind = Kind::None;
  double slope = 0;
  bool none() const noexcept { return kind == Kind::None; }
};

}  // namespace ember::core
