#include <ember/core/Error.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include <ember/core/Scope.h>
#include <ember/core/io/Text.h>

namespace ember {
namespace {

std::string compose(std::string_view kind, std::string_view op, std::string_view what, const Error::Details& details,
                    std::string_view module, std::string_view help) {
  // Names and values from files may hold commands to a terminal, and megabytes.
  const auto safe = [](std::string_view part) { return io::printableLines(part, 4096); };
  std::string text;
  text.append("[").append(op).append("] ").append(kind).append(": ").append(safe(what));
  std::size_t width = 8;
  for (const auto& [label, value] : details) width = std::max(width, label.size() + 2);
  const auto line = [&](std::string_view label, std::string_view value) {
    text.append("\n    ").append(label).append(width - std::min(width, label.size()), ' ').append(safe(value));
  };
  for (const auto& [label, value] : details) line(label, value);
  if (!module.empty()) line("at", module);
  if (!help.empty()) line("help", help);
  return text;
}

}  // namespace

Error::Error(std::string_view kind, std::string_view op, std::string_view what, const Details& details,
             std::string_view help)
    : Error(kind, op, what, details, help, core::currentModuleInFull()) {}

Error::Error(std::string_view kind, std::string_view op, std::string_view what, const Details& details,
             std::string_view help, std::string at)
    : std::runtime_error(compose(kind, op, what, details, at, help)), op_(op), at_(std::move(at)) {}

std::string Error::headline() const {
  const std::string text = what();
  return text.substr(0, text.find('\n'));
}

Error::Error(Brief) noexcept : std::runtime_error(""), op_("allocate") {}  // neither text is long enough to need memory

OutOfMemory::OutOfMemory(std::size_t bytes) noexcept : Error(Brief{}) {
  std::snprintf(brief_, sizeof brief_, "[allocate] OutOfMemory: no memory for %zu bytes", bytes);
}

}  // namespace ember
