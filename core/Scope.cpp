#include <ember/core/Scope.h>

namespace ember::core {
namespace {
thread_local const ModuleScope* innermost = nullptr;
}

namespace {

std::string shown(const ModuleScope& scope, const std::string& details) {
  const std::string path = scope.path();
  std::string type(scope.type());
  if (!details.empty()) type += " " + details;
  return path.empty() ? type : path + " (" + type + ")";
}

}  // namespace

ModuleScope::ModuleScope(std::string_view name, std::string_view type, i64* calls, Details describe,
                         const void* module, bool trains) noexcept
    : name_(name),
      type_(type),
      calls_(calls),
      details_(describe),
      module_(module),
      trains_(trains),
      parent_(innermost) {
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

std::string currentModule() { return innermost ? shown(*innermost, {}) : std::string(); }

std::string currentModuleInFull() { return innermost ? shown(*innermost, innermost->details()) : std::string(); }

}  // namespace ember::core
