#pragma once
#include <ember/autograd/Tensor.h>

namespace ember {

/// Whether ops that stand behind each other are computed together: bias, residual and activation with the convolution
/// or linear layer in front, an addition or activation in the memory of a temporary, the statistics of a batch norm
/// with the recorded convolution without bias in front. On at first, for the whole process. Results are those of the
/// single ops, but for the last bits of a convolution with a residual, which some kernels add first, and of such
/// statistics and their convolution; with it off, each op runs by itself.
void setFusion(bool on) noexcept;
/// On, no NoFusion lives on this thread, and no anomaly mode, which looks at every single result.
bool fusionEnabled() noexcept;

/// While it lives, nothing is fused on this thread. Nests.
class NoFusion {
 public:
  NoFusion() noexcept;
  ~NoFusion();
  NoFusion(const NoFusion&) = delete;
  NoFusion& operator=(const NoFusion&) = delete;

 private:
  bool before_;
};

namespace autograd {

/// Whether an op may write its result over x: fusion is on, and this handle, about to go, alone knows the memory of an
/// op's result, which no gradient needs.
bool mayOverwrite(const Tensor& x);
/// Whether a backward may write over a gradient that it was given: nothing else holds it.
bool ownsGradient(const Tensor& gradient);

}  // namespace autograd
}  // namespace ember
