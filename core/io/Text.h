#pragma once
#include <string>
#include <string_view>

#include <ember/core/DType.h>

/// Text as it stands in files and in messages about them.
namespace ember::io {

/// Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
bool isUtf8(std::string_view bytes) noexcept;
/// In double quotes, safe to print whatever it holds: control characters and broken UTF-8 as \xNN, cut after 200 bytes.
std::string inQuotes(std::string_view text);
/// The same without the quotes, cut after `longest` bytes; quotes and backslashes stay as they are.
std::string printable(std::string_view text, std::size_t longest = 200);
/// The same for each line of a text.
std::string printableLines(std::string_view text, std::size_t longest);
/// "No space left on device (ENOSPC)"-like text of an errno value.
std::string errnoText(int error);
/// "1,234,567 bytes".
std::string bytesText(u64 bytes);

/// Throws ValueError unless `name` can name a tensor or a module path in a file: 1 to 1024 bytes of UTF-8, no control
/// characters, no empty part between dots. `op` and `what` ("tensor name") go into the message.
void checkName(std::string_view name, const char* op, const char* what);
/// What checkName would complain about ("is empty"), or an empty string.
std::string nameProblem(std::string_view name);

}  // namespace ember::io
