#pragma once
#include <cstddef>

#include <ember/core/Memory.h>

namespace ember::core {

/// Memory of one call from ember's allocator: counted, reused, aligned to 64 bytes.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes) : data_(bytes > 0 ? memory::allocate(bytes) : nullptr), bytes_(bytes) {}
  ~Scratch() {
    if (data_) memory::release(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* data() const noexcept { return data_; }

 private:
  void* data_;
  std::size_t bytes_;
};

}  // namespace ember::core
