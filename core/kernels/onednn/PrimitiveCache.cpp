#include <ember/core/kernels/onednn/PrimitiveCache.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include <ember/core/Threads.h>
#include <ember/core/kernels/onednn/ImplNames.h>

namespace ember::core::onednn {
namespace {

struct Entry {
  Key key;
  std::shared_ptr<const Plan> plan;
};

struct HashOfKey {
  std::size_t operator()(const Key* key) const noexcept { return key->hash(); }
};
struct SameKey {
  bool operator()(const Key* a, const Key* b) const noexcept { return *a == *b; }
};

struct Cache {
  std::mutex mutex;
  std::list<Entry> order;                                                                // most recently used first
  std::unordered_map<const Key*, std::list<Entry>::iterator, HashOfKey, SameKey> index;  // keys live in `order`
  std::size_t capacity = 1024;
  i64 hits = 0, misses = 0;

  void trim() {
    while (order.size() > capacity) {
      index.erase(&order.back().key);
      order.pop_back();
    }
  }
};

// Never destroyed, like the engine.
Cache& cache() {
  static auto* instance = new Cache;
  return *instance;
}

}  // namespace

Key::Key(const char* kind) {
  i64 word = 0;
  for (int i = 0; i < 8 && kind[i] != '\0'; ++i) word = word << 8 | static_cast<unsigned char>(kind[i]);
  add(word).add(ComputeScope::threads());
}

void Key::refuse() { throw std::length_error("a key of the primitive cache is too long"); }

bool operator==(const Key& a, const Key& b) noexcept {
  return a.hash_ == b.hash_ && a.count_ == b.count_ &&
         std::equal(a.words_.begin(), a.words_.begin() + a.count_, b.words_.begin());
}

std::shared_ptr<const Plan> findPlan(const Key& key) {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  const auto found = c.index.find(&key);
  if (found == c.index.end()) {
    ++c.misses;
    return nullptr;
  }
  ++c.hits;
  c.order.splice(c.order.begin(), c.order, found->second);
  return found->second->plan;
}

std::shared_ptr<const Plan> storePlan(const Key& key, std::shared_ptr<const Plan> plan) {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  if (const auto found = c.index.find(&key); found != c.index.end()) return found->second->plan;
  std::list<Entry> added;
  added.push_front({key, plan});
  c.index.emplace(&added.front().key, added.begin());
  c.order.splice(c.order.begin(), added);
  c.trim();
  return plan;
}

CacheStats cacheStats() {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  return {c.order.size(), c.capacity, c.hits, c.misses};
}

void setCacheCapacity(std::size_t capacity) {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  c.capacity = std::max<std::size_t>(capacity, 1);
  c.trim();
}

void clearCache() {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  c.index.clear();
  c.order.clear();
}

std::vector<std::string> usedImplementations() {
  Cache& c = cache();
  const std::lock_guard lock(c.mutex);
  std::vector<std::string> names;
  for (const Entry& entry : c.order) entry.plan->describe(names);
  return names;
}

}  // namespace ember::core::onednn
