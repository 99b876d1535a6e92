#include <ember/core/Scope.h>

namespace ember::core {
namespace {
thread_local const ModuleScope* innermost = nullptr;
thread_local Unwatched* unwatched = nullptr;
}

namespace {

std::string shown(const ModuleScope& scope, const std::string& details) {
  const std::string path = scope.path();
  std::string type(scope.type());
  if (!details.empty()) type += " " + details;
  return path.empty() ? type : path + " (" + type + ")";
}

}  // namespace

ModuleScope::ModuleScope(std::string_view name, const char* typeName, i64* calls, bool trains) noexcept
    : name_(name), type_(typeName), calls_(calls), trains_(trains), parent_(innermost) {
  innermost = this;
}

ModuleScope::ModuleScope(std::string_view name, Details typeOf, i64* calls, Details describe, const void* module,
                         bool trains) noexcept
    : name_(name),
      typeOf_(typeOf),
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
  std::string text;
  appendPath(text);
  return text;
}

void ModuleScope::appendPath(std::string& text) const {
  const std::size_t start = text.size();
  if (parent_) parent_->appendPath(text);
  if (name_.empty()) return;
  if (text.size() > start) text += '.';
  text += name_;
}

Unwatched::Unwatched(u64 seed) noexcept : seed_(seed), outer_(unwatched) { unwatched = this; }
Unwatched::~Unwatched() { unwatched = outer_; }
Unwatched* Unwatched::current() noexcept { return unwatched; }

std::string currentModule() {
  std::string text;
  appendCurrentModule(text, {});
  return text;
}

void appendCurrentModule(std::string& text, std::string_view before) {
  if (!innermost) return;
  text += before;
  const std::size_t start = text.size();
  innermost->appendPath(text);
  const bool named = text.size() > start;
  if (named) text += " (";
  text += innermost->type();
  if (named) text += ')';
}

std::string currentModuleInFull() { return innermost ? shown(*innermost, innermost->details()) : std::string(); }

}  // namespace ember::core
