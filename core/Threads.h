#pragma once
#include <functional>
#include <type_traits>
#include <utility>

#include <ember/core/DType.h>

namespace ember {

/// Number of threads that one operation may use: set here, by EMBER_THREADS at start, else the CPUs that affinity and
/// cgroup leave us. One pool serves our kernels, oneDNN and BLAS. Throws ValueError below 1; warns above the CPUs there
/// are.
void setThreads(int count);
int threads();

}  // namespace ember

namespace ember::core {

/// Entry of a kernel: gives this call the whole pool, or just its own thread while another thread holds the pool.
/// Nests. Every kernel that runs a parallel region or calls oneDNN/BLAS opens one.
class ComputeScope {
 public:
  ComputeScope() : ComputeScope(worthThreads) {}
  /// For a call of about so many multiply-adds: with fewer than worthThreads it keeps to its own thread, for a second
  /// one would start later than the work is done.
  explicit ComputeScope(double work);
  ~ComputeScope();
  ComputeScope(const ComputeScope&) = delete;
  ComputeScope& operator=(const ComputeScope&) = delete;
  /// Threads that regions inside this scope use.
  static int threads();

  /// A product of 32x256 by 256x10 takes 2.3 to 3.3 us on one thread, 3.4 to 4.1 us on two.
  static constexpr double worthThreads = 1 << 17;

 private:
  bool owner_ = false;
};

/// Marks the calling thread as one that never opens a parallel region (the loader's prefetch thread).
void makeThreadSerial();

namespace detail {
using RangeFn = void (*)(void* context, i64 begin, i64 end, int part);
void parallelRanges(i64 count, i64 grain, RangeFn fn, void* context);
}  // namespace detail

/// Splits [0, count) into at most threads() equal ranges of at least `grain` and calls f(begin, end) for each, in
/// parallel. The split depends on count, grain and the thread count only. The first exception is rethrown after the
/// region.
template <class F> void parallelFor(i64 count, i64 grain, F&& f) {
  using Fn = std::remove_reference_t<F>;
  detail::parallelRanges(
      count, grain, [](void* context, i64 begin, i64 end, int) { (*static_cast<Fn*>(context))(begin, end); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

/// As parallelFor, with f(begin, end, part): `part` in [0, ComputeScope::threads()) indexes partial results.
template <class F> void parallelParts(i64 count, i64 grain, F&& f) {
  using Fn = std::remove_reference_t<F>;
  detail::parallelRanges(
      count, grain, [](void* context, i64 begin, i64 end, int part) { (*static_cast<Fn*>(context))(begin, end, part); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace ember::core
