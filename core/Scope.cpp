#include <ember/core/Scope.h>

namespace ember::core {
namespace {
thread_local const ModuleScope* innermost = nullptr;
}

ModuleScope::ModuleScope(std::string_view name, std::string_view type, i64* calls) noexcept
    : name_(name), type_(type), calls_(calls), parent_(innermost) {
  innermost = this;
}

ModuleScope::~ModuleScope() { innermost = parent_; }

const ModuleScope* ModuleScope::current() noexcept { return innermost; }

std::string ModuleScope::path() const {
  std::string text = parent_ ? parent_->path() : std::string();
  if (!name_.empty()) {
    if (!text.empty()) text += '.';
    text += name_;
  }
  return text;
}

std::string currentModule() {
  if (!innermost) return {};
  const std::string path = innermost->path();
  const std::string type(innermost->type());
  return path.empty() ? type : path + " (" + type + ")";
}

}  // namespace ember::core
