#include <ember/core/Warn.h>

#include <cstdio>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include <ember/core/io/Text.h>

namespace ember {
namespace {

std::mutex mutex;

WarningHandler& handler() {
  static WarningHandler current = [](std::string_view message) {
    std::fprintf(stderr, "ember: warning: %.*s\n", static_cast<int>(message.size()), message.data());
  };
  return current;
}

}  // namespace

WarningHandler setWarningHandler(WarningHandler next) {
  const std::lock_guard lock(mutex);
  return std::exchange(handler(), std::move(next));
}

void warnOnce(std::string_view text) {
  const std::string message = io::printableLines(text, 4096);  // names from files may hold commands to a terminal
  static std::set<std::string, std::less<>> said;
  WarningHandler current;
  {
    const std::lock_guard lock(mutex);
    if (said.find(message) != said.end()) return;
    current = handler();
    said.emplace(message);
  }
  if (current) current(message);  // outside the lock: a handler may warn or set another handler
}

}  // namespace ember
