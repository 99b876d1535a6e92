#include <ember/core/Storage.h>

#include <algorithm>

#include <ember/core/Memory.h>
#include <ember/core/Scope.h>

namespace ember::core {

Storage::Storage(std::size_t bytes) : data_(memory::allocate(bytes)), bytes_(bytes) {}

Storage::Storage(void* data, std::size_t bytes, std::function<void(void*)> deleter)
    : data_(data), bytes_(bytes), external_(true), deleter_(std::move(deleter)) {}

Storage::~Storage() {
  if (!external_) {
    memory::release(data_, bytes_);
  } else if (deleter_) {
    deleter_(data_);
  }
}

u64 Storage::written(const char* writer) noexcept {
  const std::lock_guard lock(mutex_);
  derived_.clear();  // it holds for the old version only
  try {
    writer_ = writer;
    appendCurrentModule(writer_, " at ");
  } catch (const std::bad_alloc&) {
    writer_.clear();
  }
  return version_.fetch_add(1, std::memory_order_acq_rel) + 1;
}

std::string Storage::lastWriter() const {
  const std::lock_guard lock(mutex_);
  return writer_;
}

std::shared_ptr<Storage> Storage::derived(u64 key) const {
  const u64 now = version();
  const std::lock_guard lock(mutex_);
  for (const Derived& d : derived_) {
    if (d.key == key && d.version == now) return d.storage;
  }
  return nullptr;
}

void Storage::setDerived(u64 key, std::shared_ptr<Storage> storage) {
  const u64 now = version();
  const std::lock_guard lock(mutex_);
  std::erase_if(derived_, [&](const Derived& d) { return d.key == key; });
  derived_.push_back({key, now, std::move(storage)});
}

}  // namespace ember::core
