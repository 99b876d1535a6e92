#pragma once
#include <cstddef>

#include <ember/core/DType.h>

namespace ember::memory {

/// Bytes that arrays hold, and what the allocator keeps for reuse.
struct Stats {
  i64 nowBytes = 0;       ///< in use by living arrays and scratch
  i64 peakBytes = 0;      ///< the highest nowBytes since the start or resetPeak()
  i64 cachedBytes = 0;    ///< free, kept for reuse
  i64 systemCalls = 0;    ///< how often memory was taken from the system
};
Stats stats();
void resetPeak();
/// Gives every cached buffer back to the system.
void releaseCached();

/// Bytes that the calling thread has taken so far, recycled ones too, whatever was given back since.
i64 takenByThread() noexcept;

/// While it lives, the calling thread takes at most `bytes` more, recycled ones too, whatever it gives back meanwhile;
/// what would be more throws ValueError. For work whose size a file decides. Nests: the smaller limit holds.
class Budget {
 public:
  explicit Budget(i64 bytes) noexcept;
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

 private:
  i64 before_;
};

/// Work in pieces one behind the other, of which each gives back what it took: for Budgets of this thread the largest
/// alone counts.
class Pieces {
 public:
  Pieces() noexcept;
  void next() noexcept;  ///< to be called behind each piece

 private:
  i64 before_, largest_ = 0;
};

/// 64-byte aligned memory from the cache or the system; `bytes` may be 0. Throws OutOfMemory. Thread-safe.
void* allocate(std::size_t bytes);
/// For tests: while `refuses` is not null, allocate() asks it first, cached memory or not, and throws where it says
/// true.
void setRefusal(bool (*refuses)(std::size_t bytes) noexcept) noexcept;
/// Returns a buffer of allocate(bytes) to the cache. Thread-safe, never throws.
void release(void* pointer, std::size_t bytes) noexcept;

}  // namespace ember::memory
