#include <ember/core/kernels/onednn/Primitive.h>

#include <memory>
#include <utility>

#include <ember/core/Error.h>
#include <ember/core/Reorders.h>

namespace ember::core::onednn {

/// Memory objects of one call and the list that the C interface wants: with it a call allocates nothing.
struct Primitive::Call {
  std::vector<dnnl::memory> memories;
  std::vector<const void*> bound;  // what each points to
  std::vector<dnnl_exec_arg_t> list;

  void add(int index, const dnnl::memory::desc& desc) {
    memories.push_back(dnnl::memory(desc, engine(), DNNL_MEMORY_NONE));
    bound.push_back(nullptr);
    list.push_back({index, memories.back().get()});
  }
};

Primitive::Primitive(const char* what, const char* implementation, const dnnl::primitive& made,
                     std::vector<Argument> arguments, const dnnl::memory::desc& scratchpad)
    : made_(made), arguments_(std::move(arguments)), scratchBytes_(scratchpad.get_size()) {
  name_ = std::string(what) + ": " + implementation;
  isReference_ = name_.find("ref") != std::string::npos;
  if (scratchBytes_ > 0) arguments_.push_back({DNNL_ARG_SCRATCHPAD, scratchpad});
}

Primitive::~Primitive() { delete spare_.load(); }

Primitive::Primitive(Primitive&& other) noexcept
    : made_(std::move(other.made_)),
      arguments_(std::move(other.arguments_)),
      scratchBytes_(other.scratchBytes_),
      isReference_(other.isReference_),
      isReorder_(other.isReorder_),
      name_(std::move(other.name_)),
      spare_(other.spare_.exchange(nullptr)) {}

Primitive& Primitive::operator=(Primitive&& other) noexcept {
  made_ = std::move(other.made_);
  arguments_ = std::move(other.arguments_);
  scratchBytes_ = other.scratchBytes_;
  isReference_ = other.isReference_;
  isReorder_ = other.isReorder_;
  name_ = std::move(other.name_);
  delete spare_.exchange(other.spare_.exchange(nullptr));
  return *this;
}

Primitive Primitive::reorder(const dnnl::memory::desc& from, const dnnl::memory::desc& to) {
  const dnnl::reorder::primitive_desc description(engine(), from, engine(), to, userScratchpad());
  Primitive made("reorder", dnnl::reorder(description), description, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
  made.isReorder_ = true;
  return made;
}

void Primitive::run(std::initializer_list<const void*> data) const {
  std::unique_ptr<Call> call(spare_.exchange(nullptr, std::memory_order_acquire));
  dnnl_stream_t here = nullptr;
  try {
    here = stream().get();
    if (!call) {
      call = std::make_unique<Call>();
      for (const auto& [index, desc] : arguments_) call->add(index, desc);
    }
  } catch (const dnnl::error& error) {
    refuse(error.status);
  }
  const Scratch scratch(scratchBytes_);
  std::size_t next = 0;
  dnnl_status_t status = dnnl_success;
  // Buffers come back to the same places, and telling oneDNN anew takes as long as the rest of this function: it also
  // clears the padding of packed weights, which the reorder that wrote them has done.
  const auto bind = [&](const void* pointer) {
    const std::size_t i = next++;
    if (call->bound[i] == pointer) return;
    const dnnl_status_t result = dnnl_memory_set_data_handle(call->memories[i].get(), const_cast<void*>(pointer));
    if (result != dnnl_success) status = result;
    call->bound[i] = result == dnnl_success ? pointer : nullptr;
  };
  for (const void* pointer : data) bind(pointer);
  if (scratchBytes_ > 0) bind(scratch.data());

  if (status == dnnl_success) {
    status = dnnl_primitive_execute(made_.get(), here, static_cast<int>(call->list.size()), call->list.data());
    if (status == dnnl_success) status = dnnl_stream_wait(here);
  }
  delete spare_.exchange(call.release(), std::memory_order_acq_rel);
  if (isReorder_) countReorder();

  if (status != dnnl_success) refuse(status);
}

void Primitive::refuse(int status) const {
  if (status == dnnl_out_of_memory) throw OutOfMemory("oneDNN", name_ + " could not get its memory");
  throw NumericError("oneDNN", name_ + " failed with status " + std::to_string(status));
}

}  // namespace ember::core::onednn
