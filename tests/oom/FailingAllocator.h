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

/// While it lives, what oneDNN itself asks of operator new is given, and not counted. For the search for leaks alone:
/// oneDNN (2.6, its primitive descriptors) loses blocks of its own when operator new throws within it. In all else,
/// exception, state and second try, its allocations may fail like any other.
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
