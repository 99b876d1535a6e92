#pragma once
#include <functional>
#include <string>

#include <ember/core/DType.h>

/// Memory that runs out where a test wants it. The program that links this has global operators new and delete of its
/// own and asks, too, for what ember's own allocator hands out (memory::setRefusal), recycled or not.
namespace ember::test {

enum class Refuse {
  Once,     ///< one allocation alone
  AllAfter  ///< that one and every later one, until the call has returned
};

/// What became of a call under a failing allocator.
struct Outcome {
  i64 allocations = 0;   ///< that it asked for
  bool refused = false;  ///< it came as far as the one to be refused
  bool threw = false;
  std::string kind, message;  ///< "OutOfMemory", "bad_alloc", or "other"
};

/// Calls `call`; its n-th allocation (from 1; 0: none), and with AllAfter all after that, fails.
Outcome failing(i64 n, Refuse how, const std::function<void()>& call);

/// While it lives, what oneDNN asks of operator new for itself is given, and not counted. Needed in two places, because
/// there no exception can be had from oneDNN 2.6.3:
///  - while a primitive is made: one that passes through it leaves two to four blocks behind each time, and a broken
///    promise in its cache of primitives (std::future_error whenever that one is wanted again);
///  - with several threads: a primitive may allocate within OpenMP's parallel regions, which no exception may
///    leave (GOMP_parallel below dnnl_primitive_execute: std::terminate).
/// With one thread and primitives that are there, its allocations fail like any other.
class OneDnnSpared {
 public:
  OneDnnSpared() noexcept;
  ~OneDnnSpared();
  OneDnnSpared(const OneDnnSpared&) = delete;
  OneDnnSpared& operator=(const OneDnnSpared&) = delete;
};

/// Blocks of operator new, and bytes of tensors, that are in use now.
struct InUse {
  i64 blocks = 0, tensorBytes = 0;
  friend bool operator==(const InUse&, const InUse&) = default;
};
InUse inUse() noexcept;

}  // namespace ember::test
