#include <ember/core/io/JsonWriter.h>

#include <charconv>
#include <cmath>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

template <class T>
void appendShortest(std::string& out, T value) {
  if (!std::isfinite(value)) throw ValueError("json", "a JSON number cannot be NaN or infinite");
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  const std::string_view digits(text, static_cast<std::size_t>(end - text));
  out.append(digits);
  // "1" would read back as an integer.
  if (digits.find_first_of(".e") == digits.npos) out += ".0";
}

void appendLine(std::string& out, int indent) { out.append(1, '\n').append(static_cast<std::size_t>(indent), ' '); }

void appendScalar(std::string& out, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::Bool:
      out += value.as<bool>() ? "true" : "false";
      return;
    case Value::Kind::Int:
      out += std::to_string(value.as<i64>());
      return;
    case Value::Kind::Double:
      appendJsonNumber(out, value.as<double>());
      return;
    case Value::Kind::String:
      appendJsonString(out, value.as<std::string>());
      return;
    default:
      out += "null";
      return;
  }
}

}  // namespace

void appendJsonString(std::string& out, std::string_view text) {
  if (!isUtf8(text)) throw ValueError("json", "text is not UTF-8: " + inQuotes(text));
  constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (byte < 0x20 || byte == 0x7f)
          out.append("\\u00").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
        else
          out += c;
    }
  }
  out += '"';
}

void appendJsonNumber(std::string& out, double value) { appendShortest(out, value); }
void appendJsonNumber(std::string& out, float value) { appendShortest(out, value); }

void appendJson(std::string& out, const Value& value, int width, int indent, int depth) {
  const bool object = value.isObject();
  if (!object && !value.isArray()) return appendScalar(out, value);
  if (depth >= maxJsonDepth) {
    throw ValueError("json", "a value is nested deeper than " + std::to_string(maxJsonDepth) + " levels", {},
                     "no reader of ember would take it: make it flatter");
  }
  const std::size_t start = out.size();
  // On one line first; if that is too long, again over several.
  for (const bool oneLine : {true, false}) {
    out.resize(start);
    out += object ? '{' : '[';
    std::size_t count = 0;
    const auto separate = [&] {
      if (count++ > 0) out += oneLine ? ", " : ",";
      if (!oneLine) appendLine(out, indent + 2);
    };
    const int childWidth = oneLine ? 0 : width;
    if (object) {
      for (const auto& [key, child] : value.members()) {
        separate();
        appendJsonString(out, key);
        out += ": ";
        appendJson(out, child, childWidth, indent + 2, depth + 1);
      }
    } else {
      for (const Value& child : value.elements()) {
        separate();
        appendJson(out, child, childWidth, indent + 2, depth + 1);
      }
    }
    if (!oneLine) appendLine(out, indent);
    out += object ? '}' : ']';
    const auto length = static_cast<i64>(out.size() - start);
    if (width <= 0 || indent + length <= width || count == 0) return;
  }
}

void JsonWriter::place() {
  if (afterKey_) {
    afterKey_ = false;
    return;
  }
  if (done_) throw StateError("json", "a JSON text has one value: this one is complete");
  if (levels_.empty()) return;
  if (levels_.back().kind == '{') throw StateError("json", "a member of an object needs a key first");
  if (!levels_.back().empty) buffer_ += ',';
  levels_.back().empty = false;
  appendLine(buffer_, 2 * static_cast<int>(levels_.size()));
}

void JsonWriter::begin(char kind) {
  place();
  if (levels_.size() >= static_cast<std::size_t>(maxJsonDepth))
    throw StateError("json", "nested deeper than 32 levels");
  buffer_ += kind;
  levels_.push_back({kind});
}

void JsonWriter::end(char kind, char close) {
  if (levels_.empty() || levels_.back().kind != kind || afterKey_)
    throw StateError("json", "end does not fit what was begun");
  const bool empty = levels_.back().empty;
  levels_.pop_back();
  if (!empty) appendLine(buffer_, 2 * static_cast<int>(levels_.size()));
  buffer_ += close;
  if (levels_.empty()) {
    buffer_ += '\n';
    done_ = true;
  }
  sink_.write(buffer_);
  buffer_.clear();
}

void JsonWriter::key(std::string_view name) {
  if (levels_.empty() || levels_.back().kind != '{' || afterKey_)
    throw StateError("json", "a key belongs into an object");
  if (!levels_.back().empty) buffer_ += ',';
  levels_.back().empty = false;
  appendLine(buffer_, 2 * static_cast<int>(levels_.size()));
  appendJsonString(buffer_, name);
  buffer_ += ": ";
  afterKey_ = true;
}

void JsonWriter::value(const Value& value, int width) {
  place();
  appendJson(buffer_, value, width, 2 * static_cast<int>(levels_.size()), static_cast<int>(levels_.size()));
  sink_.write(buffer_);
  buffer_.clear();
}

void JsonWriter::raw(std::string_view json) {
  place();
  sink_.write(buffer_);
  sink_.write(json);
  buffer_.clear();
}

}  // namespace ember::io
