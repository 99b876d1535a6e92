#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include <ember/core/DType.h>

/// Base64 (RFC 4648, standard alphabet, padded).
namespace ember::io {

/// Characters that `bytes` bytes become.
constexpr std::size_t base64Length(std::size_t bytes) { return (bytes + 2) / 3 * 4; }

/// Appends the text of `count` bytes.
void appendBase64(std::string& out, const void* bytes, std::size_t count);

/// What decoding found.
struct Base64Result {
  std::size_t bytes = 0;     ///< decoded, before the problem if there is one
  bool padded = false;       ///< the text ended with '='
  std::string problem = {};  ///< empty if all is well, else "character '!' at 17 is not base64"
};
/// Decodes strictly into `to`, which has room for `capacity` bytes: any character outside the alphabet (white space
/// included), a length that is no multiple of 4, wrong padding, set bits behind the last byte and a text longer than
/// the room are problems.
Base64Result decodeBase64(std::string_view text, void* to, std::size_t capacity);

}  // namespace ember::io
