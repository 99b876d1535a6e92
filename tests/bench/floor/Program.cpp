#include "Program.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>

namespace bench::raw {
namespace {

constexpr std::size_t hugePage = std::size_t{2} << 20;

std::size_t aligned(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

Tag rowMajor(int rank) {
  switch (rank) {
    case 1:
      return Tag::a;
    case 2:
      return Tag::ab;
    case 3:
      return Tag::abc;
    case 4:
      return Tag::abcd;
    default:
      return Tag::abcde;
  }
}

void moveNow(const Desc& from, const void* source, const Desc& to, void* target) {
  dnnl::memory a(from, engine(), const_cast<void*>(source)), b(to, engine(), target);
  dnnl::reorder(a, b).execute(stream(), a, b);
  stream().wait();
}

}  // namespace

const dnnl::engine& engine() {
  static const dnnl::engine instance(dnnl::engine::kind::cpu, 0);
  return instance;
}

dnnl::stream& stream() {
  static dnnl::stream instance(engine());
  return instance;
}

dnnl::primitive_attr userScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

Desc f32(const Dims& dims, Tag tag) { return {dims, dnnl::memory::data_type::f32, tag}; }

const Desc& Way::desc(int argument) const {
  for (const auto& [index, desc] : arguments) {
    if (index == argument) return desc;
  }
  throw std::logic_error(name + " has no argument " + std::to_string(argument));
}

View Program::make(const Desc& desc, Kind kind) {
  View view{desc, std::make_shared<Buffer>(Buffer{kind, aligned(desc.get_size())})};
  buffers_.push_back(view.buffer);
  return view;
}

void Program::use(const View& view) {
  const int step = static_cast<int>(steps_.size());
  if (view.buffer->first < 0) view.buffer->first = step;
  view.buffer->last = step;
}

View Program::reordered(const View& view, const Desc& desc) {
  if (view.desc == desc) return view;
  const View result = make(desc);
  const dnnl::reorder::primitive_desc made(engine(), view.desc, engine(), desc, userScratchpad());
  add(way(dnnl::reorder(made), made, {{DNNL_ARG_FROM, view.desc}, {DNNL_ARG_TO, desc}}), {{DNNL_ARG_FROM, view}},
      {{DNNL_ARG_TO, result}});
  ++reorders_;
  return result;
}

void Program::add(const Way& way, const Arguments& inputs, const Arguments& outputs) {
  Arguments all;
  for (const auto& [index, view] : inputs) all.emplace_back(index, reordered(view, way.desc(index)));
  std::vector<std::pair<View, View>> after;
  for (const auto& [index, view] : outputs) {
    const Desc& wanted = way.desc(index);
    const View target = view.desc == wanted ? view : make(wanted);
    if (target.buffer != view.buffer) after.emplace_back(target, view);
    all.emplace_back(index, target);
  }
  std::vector<dnnl_exec_arg_t> list;
  for (const auto& [index, view] : all) {
    use(view);
    bindings_.emplace_back(dnnl::memory(view.desc, engine(), DNNL_MEMORY_NONE), view.buffer);
    list.push_back({index, bindings_.back().first.get()});
  }
  if (const std::size_t bytes = way.scratchpad.get_size(); bytes > 0) {
    scratchBytes_ = std::max(scratchBytes_, bytes);
    scratchpads_.push_back(dnnl::memory(way.scratchpad, engine(), DNNL_MEMORY_NONE));
    list.push_back({DNNL_ARG_SCRATCHPAD, scratchpads_.back().get()});
  }
  steps_.push_back([primitive = way.primitive, list = std::move(list), &onStream = stream()] {
    dnnl::error::wrap_c_api(
        dnnl_primitive_execute(primitive.get(), onStream.get(), static_cast<int>(list.size()), list.data()),
        "a step failed");
  });
  for (const auto& [from, to] : after) {
    const dnnl::reorder::primitive_desc made(engine(), from.desc, engine(), to.desc, userScratchpad());
    add(raw::way(dnnl::reorder(made), made, {{DNNL_ARG_FROM, from.desc}, {DNNL_ARG_TO, to.desc}}),
        {{DNNL_ARG_FROM, from}}, {{DNNL_ARG_TO, to}});
    ++reorders_;
  }
}

void Program::add(std::function<void()> loop, std::initializer_list<View> uses) {
  for (const View& view : uses) use(view);
  steps_.push_back(std::move(loop));
}

// First fit, the largest first: two buffers may overlap in memory if they don't in time.
void Program::place() {
  std::vector<Buffer*> placed, waiting;
  for (const auto& buffer : buffers_) {
    auto& size = arenaBytes_[static_cast<int>(buffer->kind)];
    if (buffer->kind != Kind::Work) {
      buffer->offset = size;
      size += buffer->bytes;
    } else if (buffer->first >= 0) {
      waiting.push_back(buffer.get());
    }
  }
  std::stable_sort(waiting.begin(), waiting.end(), [](auto* a, auto* b) { return a->bytes > b->bytes; });
  for (Buffer* buffer : waiting) {
    std::size_t offset = 0;
    for (const Buffer* other : placed) {  // by offset
      if (other->last < buffer->first || buffer->last < other->first) continue;
      if (offset + buffer->bytes <= other->offset) break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    buffer->offset = offset;
    auto& size = arenaBytes_[static_cast<int>(Kind::Work)];
    size = std::max(size, offset + buffer->bytes);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), buffer, [](auto* a, auto* b) { return a->offset < b->offset; }),
        buffer);
  }
}

void Program::finish() {
  place();
  const auto take = [this](std::size_t bytes) {
    const std::size_t whole = (std::max<std::size_t>(bytes, 64) + hugePage - 1) / hugePage * hugePage;
    auto* data = static_cast<char*>(std::aligned_alloc(hugePage, whole));
    if (!data) throw std::bad_alloc();
    if (bytes >= hugePage) madvise(data, whole, MADV_HUGEPAGE);
    memory_.emplace_back(data, &std::free);
    std::fill_n(data, bytes, '\0');
    return data;
  };
  for (int kind = 0; kind < kinds; ++kind) arenas_[kind] = take(arenaBytes_[kind]);
  for (const auto& buffer : buffers_) buffer->data = arena(buffer->kind) + buffer->offset;
  for (auto& [memory, buffer] : bindings_) memory.set_data_handle(buffer->data);
  char* scratch = take(scratchBytes_);
  for (auto& memory : scratchpads_) memory.set_data_handle(scratch);
}

void store(const std::vector<float>& plain, const View& view) {
  moveNow(f32(view.desc.dims(), rowMajor(view.desc.data.ndims)), plain.data(), view.desc, view.buffer->data);
}

std::vector<float> fetch(const View& view) {
  std::size_t count = 1;
  for (const auto size : view.desc.dims()) count *= static_cast<std::size_t>(size);
  std::vector<float> plain(count);
  moveNow(view.desc, view.buffer->data, f32(view.desc.dims(), rowMajor(view.desc.data.ndims)), plain.data());
  return plain;
}

}  // namespace bench::raw
