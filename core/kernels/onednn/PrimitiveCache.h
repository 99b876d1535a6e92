#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ember/core/Shape.h>

namespace ember::core::onednn {

/// Everything that a plan depends on, as a list of numbers: kind, threads, dtype, algorithm, shapes, strides, geometry.
/// Two keys are equal only if all numbers are.
class Key {
 public:
  /// `kind` tells the families of plans apart ("conv", "matmul": four letters suffice). The thread count of the open
  /// ComputeScope is added here, since oneDNN fixes its partition when a primitive is made.
  explicit Key(const char* kind);
  Key& add(i64 word) {
    if (count_ == static_cast<int>(words_.size())) refuse();
    words_[static_cast<std::size_t>(count_++)] = word;
    // One multiplication a word: a key is made for every call of a primitive.
    hash_ = ((hash_ << 5 | hash_ >> 59) ^ static_cast<u64>(word)) * 0x9e3779b97f4a7c15;
    return *this;
  }
  Key& add(const Dims& sizes) {
    add(sizes.rank());
    for (const i64 size : sizes) add(size);
    return *this;
  }
  u64 hash() const noexcept { return hash_ ^ hash_ >> 32; }
  friend bool operator==(const Key& a, const Key& b) noexcept;

 private:
  [[noreturn]] static void refuse();

  std::array<i64, 72> words_;
  int count_ = 0;
  u64 hash_ = 0xcbf29ce484222325;
};

/// What the cache holds: the primitives of one operation on one shape. Immutable once stored.
class Plan {
 public:
  virtual ~Plan() = default;
  /// Appends the names of its primitives.
  virtual void describe(std::vector<std::string>& names) const = 0;
};

/// The stored plan, or null; moves it to the front.
std::shared_ptr<const Plan> findPlan(const Key&);
/// Stores a plan and returns it, or the one that another thread stored meanwhile; drops the plan unused longest when
/// full.
std::shared_ptr<const Plan> storePlan(const Key&, std::shared_ptr<const Plan>);

/// The plan of type P under `key`, made by `make()` -> shared_ptr<P> at the first use. Process-wide and thread-safe; a
/// plan is made outside the lock, so other threads go on meanwhile.
template <class P, class Make>
std::shared_ptr<const P> cached(const Key& key, Make&& make) {
  auto plan = findPlan(key);
  if (!plan) plan = storePlan(key, make());
  return std::static_pointer_cast<const P>(std::move(plan));
}

struct CacheStats {
  std::size_t size = 0, capacity = 0;
  i64 hits = 0, misses = 0;
};
CacheStats cacheStats();
/// Plans that may be kept, at least 1 (at first 1024).
void setCacheCapacity(std::size_t);
void clearCache();

}  // namespace ember::core::onednn
