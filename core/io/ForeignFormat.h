#pragma once
#include <string_view>

namespace ember::io {

/// Formats that people mistake for an ember checkpoint.
struct ForeignFormat {
  const char* name = nullptr;  ///< "a gzip file"; null: not known
  const char* help = "";       ///< what to do with it
};
/// By the first bytes of a file (12 are enough).
ForeignFormat foreignFormat(std::string_view start) noexcept;

}  // namespace ember::io
