#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <ember/nn/Module.h>

/// Module types that can be rebuilt from their arguments: those of Layers.def, and the user's, registered explicitly.
namespace ember::nn {

/// Makes a module from the arguments that its args() gave.
using ModuleFactory = std::function<std::unique_ptr<Module>(const Args&)>;

/// Adds a type under a name. Registering the same type and name again replaces the factory; a name that belongs to
/// another type throws ValueError. Thread-safe.
void registerModule(std::string_view name, const std::type_info& type, ModuleFactory factory);

/// registerModule("Residual", [](const nn::Args& a) { return Residual(a.get<int>("width")); }): the factory returns the
/// module by value.
template <class Factory> void registerModule(std::string_view name, Factory factory) {
  using M = std::invoke_result_t<Factory, const Args&>;
  static_assert(std::is_base_of_v<Module, M>, "the factory returns a module by value");
  registerModule(name, typeid(M), [factory = std::move(factory)](const Args& args) -> std::unique_ptr<Module> {
    return std::make_unique<M>(factory(args));
  });
}

/// All names, in order. Thread-safe.
std::vector<std::string> registeredTypes();
/// The registered name of a type, or empty.
std::string registeredName(const std::type_info&);
/// Builds from {"type": ..., "args": ...}. ValueError for an unknown type names it and the ways out.
std::unique_ptr<Module> build(const Value& architecture);

/// While it lives on this thread, build() counts the modules that it builds, refuses more than a net can have, and
/// knows where it is.
class BuildScope {
 public:
  BuildScope() noexcept;
  ~BuildScope();
  BuildScope(const BuildScope&) = delete;
  BuildScope& operator=(const BuildScope&) = delete;
  /// Dotted path of the module whose building failed, with its type.
  std::string path() const;
  void restart() noexcept;

 private:
  friend std::unique_ptr<Module> build(const Value& architecture);
  friend std::unique_ptr<Module> buildChild(const Value& architecture);
  std::vector<std::string> names_;
  std::string type_;
  i64 modules_ = 0;
  BuildScope* outer_;
};

/// ValueError for a net of more than 10,000 modules, or with a Graph that cannot run: load() would refuse it.
void checkBuildable(const Module& net);
/// Builds a child from {"name": ..., "type": ..., "args": ...}.
std::unique_ptr<Module> buildChild(const Value& entry);

/// The children of a container as they stand in its arguments, [{"name": ..., "type": ..., "args": ...}], and back.
Value describeChildren(const Module& container);
void addChildren(Module& container, const Value& list);

}  // namespace ember::nn
