#pragma once
#include <string_view>
#include <vector>

#include <ember/nn/layers/Numbered.h>

/// Modules that another module calls as it likes; held here, they have names, parameters and modes, and are saved.
namespace ember::nn {

/// Modules by number: list[i]; names "0", "1", ... It does not run itself (StateError).
///
///   nn::ModuleList& heads = add("heads", nn::ModuleList());      // heads.append(nn::Linear(64, 10));
class ModuleList : public Numbered {
 public:
  using Module::forward;
  ModuleList() = default;
  template <class First, class... Rest>
  requires ModulesFor<ModuleList, First, Rest...> explicit ModuleList(First&& first, Rest&&... rest) {
    append(std::forward<First>(first));
    (append(std::forward<Rest>(rest)), ...);
  }

  std::size_t size() const noexcept { return childCount(); }
  /// ValueError out of range.
  Module& operator[](std::size_t index) const { return child(index); }
  Tensors forward(const Tensors& inputs) override;
  Args args() const override;
  static ModuleList fromArgs(const Args& args);
};

/// Modules by name, in the order in which they were added: dict["left"]. It does not run itself (StateError).
class ModuleDict : public Module {
 public:
  using Module::forward;
  std::size_t size() const noexcept { return childCount(); }
  /// ValueError names the nearest.
  Module& operator[](std::string_view name) const;
  bool has(std::string_view name) const noexcept;
  std::vector<std::string> names() const;
  Tensors forward(const Tensors& inputs) override;
  Args args() const override;
  static ModuleDict fromArgs(const Args& args);
};

}  // namespace ember::nn
