#include <ember/nn/layers/ModuleList.h>

#include <ember/core/Error.h>
#include <ember/nn/Pattern.h>
#include <ember/nn/Registry.h>

namespace ember::nn {
namespace {

[[noreturn]] void refuseToRun(const char* type) {
  throw StateError(type, "it holds modules and has no forward of its own", {},
                   "call its modules in their owner's forward, or use Sequential, Parallel or Graph");
}

template <class Holder>
Holder holderOf(const Args& args) {
  Holder holder;
  addChildren(holder, args.at("modules"));
  return holder;
}

}  // namespace

Tensors ModuleList::forward(const Tensors&) { refuseToRun("ModuleList"); }
Args ModuleList::args() const { return {{"modules", describeChildren(*this)}}; }
ModuleList ModuleList::fromArgs(const Args& args) { return holderOf<ModuleList>(args); }

Tensors ModuleDict::forward(const Tensors&) { refuseToRun("ModuleDict"); }
Args ModuleDict::args() const { return {{"modules", describeChildren(*this)}}; }
ModuleDict ModuleDict::fromArgs(const Args& args) { return holderOf<ModuleDict>(args); }

Module& ModuleDict::operator[](std::string_view name) const {
  for (std::size_t i = 0; i < childCount(); ++i) {
    if (child(i).name() == name) return child(i);
  }
  throw ValueError("ModuleDict", "no module \"" + std::string(name) + "\"", {}, nearestHint(name, names()));
}

bool ModuleDict::has(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < childCount(); ++i) {
    if (child(i).name() == name) return true;
  }
  return false;
}

std::vector<std::string> ModuleDict::names() const {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < childCount(); ++i) list.push_back(child(i).name());
  return list;
}

}  // namespace ember::nn
