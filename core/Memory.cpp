#include <ember/core/Memory.h>

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Scope.h>

// Buffers come in size classes, eight to each power of two, so that a training step finds last step's buffers again
// while at most an eighth is wasted. A free buffer waits in its class; only an empty class asks the system. A forward
// that runs once (Unwatched) has its buffers from the system and gives them back: a load must not leave them behind.

namespace ember::memory {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t hugePage = std::size_t{2} << 20;

thread_local i64 taken = 0;
thread_local i64 mostTaken = std::numeric_limits<i64>::max();  // what Budgets allow
std::atomic<bool (*)(std::size_t) noexcept> refusal{nullptr};

struct SizeClass {
  std::size_t index, bytes;
};

SizeClass sizeClass(std::size_t bytes) {
  bytes = std::max<std::size_t>(bytes, 512);
  const auto power = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // 2^power < bytes <= 2^(power+1)
  const std::size_t step = (std::size_t{1} << power) / 8;
  const std::size_t eighths = (bytes - (std::size_t{1} << power) + step - 1) / step;
  return {power * 8 + eighths - 1, (std::size_t{1} << power) + eighths * step};
}

struct Pool {
  std::mutex mutex;
  std::array<std::vector<void*>, 64 * 8> free;
  Stats stats;
};

// Never destroyed: arrays with static lifetime may outlive any other static object.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

void* fromSystem(std::size_t bytes) {
  void* pointer = std::aligned_alloc(bytes >= hugePage ? hugePage : alignment,
                                     bytes >= hugePage ? (bytes + hugePage - 1) / hugePage * hugePage : bytes);
  // First touch of fresh memory costs four times as much in small pages.
  if (pointer && bytes >= hugePage) madvise(pointer, bytes, MADV_HUGEPAGE);
  return pointer;
}

void releaseCachedLocked(Pool& p) {
  for (auto& list : p.free) {
    for (void* pointer : list) std::free(pointer);
    list.clear();
  }
  p.stats.cachedBytes = 0;
}

[[noreturn]] void refuse(std::size_t bytes, i64 inUse) {
  try {
    throw OutOfMemory("allocate", "the system refused " + std::to_string(bytes) + " bytes",
                      {{"in use", std::to_string(inUse) + " bytes"}},
                      "use a smaller batch, or free tensors that are no longer needed");
  } catch (const std::bad_alloc&) {  // not even for the message
    throw OutOfMemory(bytes);
  }
}

}  // namespace

Stats stats() {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  return p.stats;
}

void resetPeak() {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  p.stats.peakBytes = p.stats.nowBytes;
}

void releaseCached() {
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  releaseCachedLocked(p);
}

i64 takenByThread() noexcept { return taken; }

Budget::Budget(i64 bytes) noexcept : before_(mostTaken) { mostTaken = std::min(mostTaken, taken + bytes); }
Budget::~Budget() { mostTaken = before_; }

Pieces::Pieces() noexcept : before_(taken) {}
void Pieces::next() noexcept {
  largest_ = std::max(largest_, taken - before_ - largest_);
  taken = before_ + largest_;
}

void setRefusal(bool (*refuses)(std::size_t bytes) noexcept) noexcept {
  refusal.store(refuses, std::memory_order_relaxed);
}

void* allocate(std::size_t bytes) {
  if (bytes > (std::size_t{1} << 62))
    throw OutOfMemory("allocate", std::to_string(bytes) + " bytes is more than any machine has");
  const auto [index, size] = sizeClass(bytes);
  if (static_cast<i64>(size) > mostTaken - taken) {
    throw ValueError("allocate", std::to_string(bytes) + " bytes are more than is allowed here",
                     {{"left", std::to_string(mostTaken - taken) + " bytes"}});
  }
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  if (const auto refuses = refusal.load(std::memory_order_relaxed); refuses && refuses(bytes))
    refuse(bytes, p.stats.nowBytes);
  void* pointer = nullptr;
  const bool keeps = !core::Unwatched::current();
  if (auto& list = p.free[index]; keeps && !list.empty()) {
    pointer = list.back();
    list.pop_back();
    p.stats.cachedBytes -= static_cast<i64>(size);
  } else {
    if (keeps) list.reserve(list.capacity() + 1);  // so that release() has a place for it
    pointer = fromSystem(size);
    if (!pointer && p.stats.cachedBytes > 0) {
      releaseCachedLocked(p);
      pointer = fromSystem(size);
    }
    if (!pointer) refuse(bytes, p.stats.nowBytes);
    ++p.stats.systemCalls;
  }
  taken += static_cast<i64>(size);
  p.stats.nowBytes += static_cast<i64>(size);
  p.stats.peakBytes = std::max(p.stats.peakBytes, p.stats.nowBytes);
  return pointer;
}

void release(void* pointer, std::size_t bytes) noexcept {
  if (!pointer) return;
  const auto [index, size] = sizeClass(bytes);
  Pool& p = pool();
  const std::lock_guard lock(p.mutex);
  p.stats.nowBytes -= static_cast<i64>(size);
  auto& list = p.free[index];
  if (core::Unwatched::current() || list.size() == list.capacity()) return std::free(pointer);
  list.push_back(pointer);
  p.stats.cachedBytes += static_cast<i64>(size);
}

}  // namespace ember::memory
