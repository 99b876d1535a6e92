#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <ember/core/io/Value.h>

namespace ember::io {

/// Where bytes go, in order.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  /// Throws IoError if they cannot go there.
  virtual void write(std::string_view bytes) = 0;
};

/// Deepest nesting of arrays and objects that ember writes and reads.
inline constexpr int maxJsonDepth = 32;

/// Appends a JSON string. Throws ValueError unless `text` is UTF-8.
void appendJsonString(std::string& out, std::string_view text);
/// Appends the shortest decimal that reads back as the same double (float): "0.1", "1.0", "-0.0". Throws ValueError
/// unless finite.
void appendJsonNumber(std::string& out, double value);
void appendJsonNumber(std::string& out, float value);
/// Appends a value on one line, or (`width` > 0) over several, indented by `indent`, where one line would pass `width`
/// columns. Throws ValueError beyond maxJsonDepth.
void appendJson(std::string& out, const Value& value, int width = 0, int indent = 0, int depth = 0);

/// Writes one JSON text piece by piece: no part of it need be in memory at once. Output is indented by two columns a
/// level and the same under every locale. The caller keeps the order begin, key, value, end; a wrong order throws
/// StateError.
class JsonWriter {
 public:
  explicit JsonWriter(ByteSink& sink) : sink_(sink) {}

  void beginObject() { begin('{'); }
  void endObject() { end('{', '}'); }
  void beginArray() { begin('['); }
  void endArray() { end('[', ']'); }
  void key(std::string_view name);
  /// A whole value at once.
  void value(const Value& value, int width = 120);
  /// Text that is a JSON value already.
  void raw(std::string_view json);
  void member(std::string_view name, const Value& v) {
    key(name);
    value(v);
  }

 private:
  struct Level {
    char kind;
    bool empty = true;
  };
  void begin(char kind);
  void end(char kind, char close);
  /// Comma, line break and indentation before an element.
  void place();

  ByteSink& sink_;
  std::vector<Level> levels_;
  std::string buffer_;
  bool afterKey_ = false;
  bool done_ = false;
};

}  // namespace ember::io
