#include <ember/core/io/Text.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include <ember/core/Error.h>

namespace ember::io {
namespace {

/// Bytes of the well-formed UTF-8 character at the start of `bytes`, or 0.
std::size_t characterLength(std::string_view bytes) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(bytes[i])); };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  if (lead >= 0xc2 && lead <= 0xdf) length = 2;
  if (lead >= 0xe0 && lead <= 0xef) length = 3;
  if (lead >= 0xf0 && lead <= 0xf4) length = 4;
  if (length == 0 || length > bytes.size()) return 0;
  unsigned code = lead & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (at(i) & 0x3f);
  }
  if (length == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) return 0;
  if (length == 4 && (code < 0x10000 || code > 0x10ffff)) return 0;
  return length;
}

/// Of a character of that length: what a terminal may take for a command.
bool isControl(std::string_view bytes, std::size_t length) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  return at(0) < 0x20 || at(0) == 0x7f || (length == 2 && at(0) == 0xc2 && at(1) < 0xa0);  // C1 ends at U+009F
}

std::string escaped(std::string_view text, std::size_t longest, bool quotes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = quotes ? "\"" : "";
  std::size_t used = 0;
  while (used < text.size() && used < longest) {
    const std::string_view rest = text.substr(used);
    const std::size_t length = characterLength(rest);
    if (length == 0 || isControl(rest, length)) {
      const auto byte = static_cast<unsigned char>(rest[0]);
      out.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
      ++used;
    } else {
      if (quotes && (rest[0] == '"' || rest[0] == '\\')) out += '\\';
      out.append(rest.substr(0, length));
      used += length;
    }
  }
  if (quotes) out += '"';
  if (used < text.size()) out += "... (" + std::to_string(text.size()) + " bytes)";
  return out;
}

}  // namespace

bool isUtf8(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const std::size_t length = characterLength(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string inQuotes(std::string_view text) { return escaped(text, 200, true); }
std::string printable(std::string_view text, std::size_t longest) { return escaped(text, longest, false); }

std::string printableLines(std::string_view text, std::size_t longest) {
  std::string lines;
  for (std::size_t begin = 0;;) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines += printable(text.substr(begin, end - begin), longest);
    if (end == text.size()) return lines;
    lines += '\n';
    begin = end + 1;
  }
}

std::string errnoText(int error) {
  return std::generic_category().message(error) + " (errno " + std::to_string(error) + ")";
}

std::string bytesText(u64 bytes) {
  std::string digits = std::to_string(bytes);
  for (std::size_t i = digits.size(); i > 3;) digits.insert(i -= 3, 1, ',');
  return digits + (bytes == 1 ? " byte" : " bytes");
}

std::string nameProblem(std::string_view name) {
  constexpr std::size_t longest = 1024;
  if (name.empty()) return "is empty";
  if (name.size() > longest)
    return "has " + std::to_string(name.size()) + " bytes, at most " + std::to_string(longest) + " are allowed";
  if (!isUtf8(name)) return "is not UTF-8";
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t length = characterLength(name.substr(at));
    if (isControl(name.substr(at), length)) return "has a control character";
    at += length;
  }
  if (name.front() == '.' || name.back() == '.' || name.find("..") != name.npos)
    return "has an empty part between dots";
  return {};
}

void checkName(std::string_view name, const char* op, const char* what) {
  const std::string problem = nameProblem(name);
  if (!problem.empty()) throw ValueError(op, std::string(what) + " " + inQuotes(name) + " " + problem);
}

}  // namespace ember::io
