#pragma once
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

/// A static program of oneDNN primitives: every step is made once, every byte is placed before the first run.
namespace bench::raw {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;
using Tag = dnnl::memory::format_tag;

const dnnl::engine& engine();
dnnl::stream& stream();
/// Every primitive takes its scratchpad from the program.
dnnl::primitive_attr userScratchpad();
/// f32 in a given layout, or in one that oneDNN chooses.
Desc f32(const Dims& dims, Tag tag = Tag::any);

/// What a piece of memory is for. Work lives from the first step that uses it to the last, and shares its memory with
/// other work before and after; each other kind is one contiguous arena, in the order of creation.
enum class Kind { Work, Kept, Parameter, Gradient, Momentum };
constexpr int kinds = 5;

struct Buffer {
  Kind kind;
  std::size_t bytes;
  int first = -1, last = -1;  ///< the steps that use it
  std::size_t offset = 0;     ///< in its arena
  char* data = nullptr;       ///< after Program::finish
};

/// A tensor of the program.
struct View {
  Desc desc;
  std::shared_ptr<Buffer> buffer;
  explicit operator bool() const { return buffer != nullptr; }
  float* floats() const { return reinterpret_cast<float*>(buffer->data); }
};

/// One way to compute something: a primitive and the layouts that it wants.
struct Way {
  std::string name;
  dnnl::primitive primitive;
  Desc scratchpad;
  std::vector<std::pair<int, Desc>> arguments{};  ///< DNNL_ARG_... and its layout
  const Desc& desc(int argument) const;
};

template <class Made, class Description>
Way way(const Made& made, const Description& description, std::vector<std::pair<int, Desc>> arguments) {
  return {description.impl_info_str(), made, description.scratchpad_desc(), std::move(arguments)};
}

/// Of several ways the fastest, by timing each with the reorders that it needs: `given` are the layouts that are
/// settled, all others are free. Ways that run oneDNN's reference loops count only if there is no other.
Way fastest(std::vector<Way> ways, const std::vector<std::pair<int, Desc>>& given);

class Program {
 public:
  using Arguments = std::vector<std::pair<int, View>>;

  View make(const Desc& desc, Kind kind = Kind::Work);
  /// Appends the primitive. An argument whose layout is not the one wanted is reordered before or after.
  void add(const Way& way, const Arguments& inputs, const Arguments& outputs);
  /// Appends a loop of our own that uses these tensors.
  void add(std::function<void()> loop, std::initializer_list<View> uses);
  /// `view` in another layout, at the price of a reorder if it differs.
  View reordered(const View& view, const Desc& desc);

  /// No later step may take its memory: it is read after the run.
  void keep(const View& view) { view.buffer->last = 1 << 30; }
  /// Places all memory. No step may be added afterwards.
  void finish();
  void run() const {
    for (const auto& step : steps_) step();
  }
  char* arena(Kind kind) const { return arenas_[static_cast<int>(kind)]; }
  std::size_t arenaBytes(Kind kind) const { return arenaBytes_[static_cast<int>(kind)]; }
  int reorders() const { return reorders_; }

 private:
  void use(const View& view);
  void place();

  std::vector<std::function<void()>> steps_;
  std::vector<std::shared_ptr<Buffer>> buffers_;
  std::vector<std::pair<dnnl::memory, std::shared_ptr<Buffer>>> bindings_;
  std::vector<dnnl::memory> scratchpads_;
  std::size_t scratchBytes_ = 0;
  std::vector<std::unique_ptr<char, void (*)(void*)>> memory_;
  char* arenas_[kinds] = {};
  std::size_t arenaBytes_[kinds] = {};
  int reorders_ = 0;
};

/// Writes row-major numbers into a tensor of any layout, or reads them; after Program::finish.
void store(const std::vector<float>& plain, const View& view);
std::vector<float> fetch(const View& view);

}  // namespace bench::raw
