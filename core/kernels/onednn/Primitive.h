#pragma once
#include <atomic>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <vector>

#include <ember/core/kernels/onednn/Engine.h>

namespace ember::core::onednn {

/// A oneDNN primitive with the arguments that it takes, ready to run from any number of threads at once.
///
/// Memory objects are kept between calls; a call takes them for itself, so two threads never share a set. The
/// scratchpad is new for each call (from the caching allocator).
class Primitive {
 public:
  struct Argument {
    int index;  ///< DNNL_ARG_...
    dnnl::memory::desc desc;
  };

  /// An empty one, which tests false.
  Primitive() = default;
  /// From a primitive and the description it was made from.
  template <class Made, class Description>
  Primitive(const char* what, const Made& made, const Description& description, std::vector<Argument> arguments)
      : Primitive(what, description.impl_info_str(), made, std::move(arguments), description.scratchpad_desc()) {}
  ~Primitive();
  Primitive(Primitive&&) noexcept;
  Primitive& operator=(Primitive&&) noexcept;

  /// A copy between two layouts of the same sizes.
  static Primitive reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to);

  explicit operator bool() const noexcept { return static_cast<bool>(made_); }
  /// Computes on `data`, in the order of the arguments. Throws OutOfMemory or NumericError if oneDNN fails.
  void run(std::initializer_list<const void*> data) const;
  /// "convolution forward: brgconv:avx512_core".
  const std::string& name() const noexcept { return name_; }
  /// oneDNN has no fast kernel for this: its plain loops would run, up to 1000 times slower.
  bool isReference() const noexcept { return isReference_; }

 private:
  struct Call;
  Primitive(const char* what, const char* implementation, const dnnl::primitive& made, std::vector<Argument> arguments,
            const dnnl::memory::desc& scratchpad);
  [[noreturn]] void refuse(int status) const;

  dnnl::primitive made_;
  std::vector<Argument> arguments_;
  std::size_t scratchBytes_ = 0;
  bool isReference_ = false, isReorder_ = false;
  std::string name_;
  mutable std::atomic<Call*> spare_{nullptr};
};

}  // namespace ember::core::onednn
