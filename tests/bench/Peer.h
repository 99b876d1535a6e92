#pragma once

/// Another framework's batch norm with ReLU behind a C interface, in a library that the benchmark loads if it is there:
/// libtorch takes half a minute to compile against, and few machines have it.
struct BatchNormPeer {
  /// An x [n, c, h, w] and its gradient; null if the framework cannot do it.
  void* (*make)(long n, long c, long h, long w, int bf16, int channelsLast, int threads);
  void (*forward)(void*);   ///< y = relu(batchNorm(x)) with the batch's statistics
  void (*backward)(void*);  ///< gradients of x, gamma and beta
  void (*drop)(void*);
};
/// The library exports `extern "C" const BatchNormPeer* batchNormPeer()`.
using BatchNormPeerEntry = const BatchNormPeer* (*)();
