#include "oom/FailingAllocator.h"

#include <dlfcn.h>
#include <execinfo.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string_view>

#include <ember/core/Error.h>
#include <ember/core/Memory.h>

namespace {

// Plain atomics: operator new is called before and after everything else in the program.
std::atomic<long> blocks{0}, asked{0}, wanted{0};
std::atomic<bool> armed{false}, allAfter{false}, refused{false}, sparing{false};

bool refuseThis() noexcept {
  if (!armed.load(std::memory_order_relaxed)) return false;
  const long number = asked.fetch_add(1, std::memory_order_relaxed) + 1, n = wanted.load(std::memory_order_relaxed);
  if (n == 0 || number < n || (number > n && !allAfter.load(std::memory_order_relaxed))) return false;
  refused.store(true, std::memory_order_relaxed);
  return true;
}

// Whether the one that asks operator new is a library whose name has that in it.
bool isIn(const void* address, std::string_view name) noexcept {
  Dl_info info;
  return ::dladdr(address, &info) != 0 && std::string_view(info.dli_fname).find(name) != std::string_view::npos;
}

// Strings and streams of oneDNN's ask from within libstdc++: then whoever called that.
bool byOneDnn(const void* caller) noexcept {
  if (!isIn(caller, "libstdc++")) return isIn(caller, "libdnnl");
  void* frames[24];
  const int count = ::backtrace(frames, 24);
  bool inside = false;
  for (int i = 0; i < count; ++i) {
    if (isIn(frames[i], "libstdc++"))
      inside = true;
    else if (inside)
      return isIn(frames[i], "libdnnl");
  }
  return false;
}

bool refuseTensor(std::size_t) noexcept { return refuseThis(); }

void* take(std::size_t bytes, std::size_t alignment, const void* caller) noexcept {
  const bool spared =
      armed.load(std::memory_order_relaxed) && sparing.load(std::memory_order_relaxed) && byOneDnn(caller);
  if (!spared && refuseThis()) return nullptr;
  bytes = bytes == 0 ? 1 : bytes;
  void* block = alignment <= alignof(std::max_align_t)
                    ? std::malloc(bytes)
                    : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (block) blocks.fetch_add(1, std::memory_order_relaxed);
  return block;
}

void* takeOrThrow(std::size_t bytes, std::size_t alignment, const void* caller) {
  if (void* block = take(bytes, alignment, caller)) return block;
  throw std::bad_alloc();
}

void give(void* block) noexcept {
  if (!block) return;
  blocks.fetch_sub(1, std::memory_order_relaxed);
  std::free(block);
}

constexpr std::size_t plain = alignof(std::max_align_t);

}  // namespace

void* operator new(std::size_t n) { return takeOrThrow(n, plain, __builtin_return_address(0)); }
void* operator new[](std::size_t n) { return takeOrThrow(n, plain, __builtin_return_address(0)); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return take(n, plain, __builtin_return_address(0));
}
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept {
  return take(n, plain, __builtin_return_address(0));
}
void* operator new(std::size_t n, std::align_val_t a) {
  return takeOrThrow(n, static_cast<std::size_t>(a), __builtin_return_address(0));
}
void* operator new[](std::size_t n, std::align_val_t a) {
  return takeOrThrow(n, static_cast<std::size_t>(a), __builtin_return_address(0));
}
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return take(n, static_cast<std::size_t>(a), __builtin_return_address(0));
}
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return take(n, static_cast<std::size_t>(a), __builtin_return_address(0));
}
void operator delete(void* p) noexcept { give(p); }
void operator delete[](void* p) noexcept { give(p); }
void operator delete(void* p, std::size_t) noexcept { give(p); }
void operator delete[](void* p, std::size_t) noexcept { give(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { give(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { give(p); }
void operator delete(void* p, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { give(p); }

namespace ember::test {
namespace {

/// The allocator fails while this lives.
class Failing {
 public:
  Failing(i64 n, Refuse how) noexcept {
    wanted = n;
    asked = 0;
    allAfter = how == Refuse::AllAfter;
    refused = false;
    memory::setRefusal(refuseTensor);
    armed = true;
  }
  ~Failing() {
    armed = false;
    memory::setRefusal(nullptr);
  }
  Failing(const Failing&) = delete;
  Failing& operator=(const Failing&) = delete;
};

}  // namespace

Outcome failing(i64 n, Refuse how, const std::function<void()>& call) {
  Outcome outcome;
  try {
    const Failing scope(n, how);
    call();
  } catch (const OutOfMemory& error) {
    outcome.kind = "OutOfMemory";
    outcome.message = error.what();
  } catch (const std::bad_alloc& error) {
    outcome.kind = "bad_alloc";
    outcome.message = error.what();
  } catch (const std::exception& error) {
    outcome.kind = "other";
    outcome.message = error.what();
  }
  outcome.threw = !outcome.kind.empty();
  outcome.refused = refused;
  outcome.allocations = asked;
  return outcome;
}

OneDnnSpared::OneDnnSpared() noexcept {
  void* frame;
  (void)::backtrace(&frame, 1);  // its first call takes memory
  sparing = true;
}
OneDnnSpared::~OneDnnSpared() { sparing = false; }

InUse inUse() noexcept { return {blocks.load(), memory::stats().nowBytes}; }

}  // namespace ember::test
