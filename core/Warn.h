#pragma once
#include <functional>
#include <string_view>

namespace ember {

/// Receives each warning; the default writes one line to standard error.
using WarningHandler = std::function<void(std::string_view message)>;
/// Replaces the handler and returns the old one. Thread-safe.
WarningHandler setWarningHandler(WarningHandler);
/// Reports `message` once per process (later calls with the same text are silent). Thread-safe.
void warnOnce(std::string_view message);

}  // namespace ember
