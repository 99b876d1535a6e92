#pragma once
#include <mutex>

#include <ember/autograd/Tensor.h>
#include <ember/core/kernels/Conv.h>

/// Convolutions that wait for their consumer. A module of the user's writes relu(norm(conv(x)) + x); outside recording,
/// with the norm folded, that is one kernel, if conv only knew what follows. So inside a module's forward a convolution
/// that is not recorded returns a tensor that has its shape but not yet its values. An addition or activation that
/// takes this tensor as a temporary joins; whoever reads it makes it run (TensorImpl::settle).
///
/// One waits on a thread at most, and none when the outermost module's call returns. Who writes into memory in place
/// settles first what waits on its own thread, so that the operands are those of the moment of the call; an operand
/// that another thread has written meanwhile is a StateError. Memory of the program (fromBlob), which may change or go
/// without a word, is never waited with.
namespace ember::autograd {

struct Deferred {
  core::NDArray x, w;
  core::Epilogue epilogue;
  core::ConvGeometry geometry;
  u64 versions = 0;  ///< of all operands, summed: each only grows
  std::mutex mutex;  ///< of the run: a tensor may be read by several threads
};

/// The call of a module with children; the outermost of a thread settles what waits when it ends.
class DeferScope {
 public:
  DeferScope() noexcept;
  ~DeferScope();
  DeferScope(const DeferScope&) = delete;
  DeferScope& operator=(const DeferScope&) = delete;
  /// To be called at the regular end.
  void finish() const;
};

/// Whether convolutions wait at this point of the program: not under a trace, which asks who takes how long.
bool mayDefer() noexcept;
/// act(conv) of shape `y`, to be run later.
Tensor deferred(const core::NDArray& x, const core::NDArray& w, const core::Epilogue&, const core::ConvGeometry&,
                const Shape& y);
/// Adds `residual` to, or puts the activation behind, a waiting convolution that only this handle knows; false, with
/// nothing done, if it is no such or something else has joined already.
bool joinResidual(const Tensor& waiting, const Tensor& residual);
bool joinActivation(const Tensor& waiting, const core::FusedAct& act);
/// Runs what waits on this thread.
void settleWaiting();

}  // namespace ember::autograd
