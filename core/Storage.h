#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <ember/core/DType.h>

namespace ember::core {

class NDArray;

/// The memory behind one or more arrays, with the version that every write advances.
///
/// All views of an array share one Storage, so a write through any of them is seen by all: a handle that remembers the
/// version of its value notices. Storage also keeps what kernels derived from its content (packed weights), by version.
class Storage {
 public:
  /// Takes memory from the caching allocator.
  explicit Storage(std::size_t bytes);
  /// Wraps memory of the user; `deleter` (may be empty) runs when the last view goes.
  Storage(void* data, std::size_t bytes, std::function<void(void*)> deleter);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const noexcept { return data_; }
  std::size_t bytes() const noexcept { return bytes_; }
  bool external() const noexcept { return external_; }

  u64 version() const noexcept { return version_.load(std::memory_order_acquire); }
  /// Records a write by `writer` ("batchNorm", "SGD.step"), with the running module's path; returns the new version. A
  /// write without memory for the name counts as one by nobody.
  u64 written(const char* writer) noexcept;
  /// "batchNorm at features.1 (BatchNorm2D)": who wrote last; empty if no one has.
  std::string lastWriter() const;

  /// What a kernel derived from the present content under `key` (a hash of the wanted form), or null.
  /// A result for an older version is never returned.
  std::shared_ptr<Storage> derived(u64 key) const;
  void setDerived(u64 key, std::shared_ptr<Storage>);

 private:
  struct Derived {
    u64 key, version;
    std::shared_ptr<Storage> storage;
  };
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  bool external_ = false;
  std::function<void(void*)> deleter_;
  std::atomic<u64> version_{0};
  mutable std::mutex mutex_;  // guards the two below
  std::string writer_;
  std::vector<Derived> derived_;
};

}  // namespace ember::core
