#include <ember/core/Reorders.h>

#include <atomic>

namespace ember::core {
namespace {
std::atomic<i64> count{0};
}

i64 reorderCount() noexcept { return count.load(std::memory_order_relaxed); }
void countReorder() noexcept { count.fetch_add(1, std::memory_order_relaxed); }

}  // namespace ember::core
