#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <ember/core/io/ByteSource.h>
#include <ember/core/io/Value.h>

namespace ember::io {

/// Receives the parts of a JSON text as they are read. May throw: the exception ends the reading and reaches the
/// caller.
class JsonHandler {
 public:
  virtual ~JsonHandler() = default;
  virtual void scalar(Value value) = 0;  ///< null, bool or integer
  /// A number with a fraction or exponent, or an integer beyond 64 bits: its digits, with a point whatever the locale.
  virtual void number(std::string_view digits) = 0;
  virtual void text(std::string_view text) = 0;
  virtual void key(std::string& key) = 0;  ///< may be moved from
  virtual void beginObject() = 0;
  virtual void endObject() = 0;
  virtual void beginArray() = 0;
  virtual void endArray() = 0;
  /// Called with the place when the text ends too early, to describe what is missing; the returned lines join the
  /// IoError.
  virtual std::vector<std::pair<std::string, std::string>> truncated() { return {}; }
};

/// Bounds on what a text may ask for. They keep memory in proportion to what the handler wants.
struct JsonLimits {
  u64 tokenBytes = u64{1} << 20;  ///< longest string or number, and longest run of white space, as written
  u64 totalBytes = ~u64{0};       ///< of the text; the handler may lift or lower it through JsonReader
  u64 totalShown = ~u64{0};       ///< what a message calls that limit, if it is less
};

/// Reads one JSON text (RFC 8259, UTF-8, a byte order mark is skipped) from start to end without keeping it.
/// Throws IoError on a malformed text, a repeated key, nesting beyond maxJsonDepth, text behind the end or a limit
/// passed.
class JsonReader {
 public:
  JsonReader(ByteSource& source, const char* op, const JsonLimits& limits = {})
      : source_(source), op_(op), limits_(limits) {}
  void read(JsonHandler& handler);
  /// Bytes read so far: the place of what the handler was given last.
  u64 position() const noexcept { return position_; }
  void setLimits(const JsonLimits& limits) noexcept { limits_ = limits; }

 private:
  friend struct JsonInput;
  friend struct JsonEvents;
  ByteSource& source_;
  const char* op_;
  JsonLimits limits_;
  u64 position_ = 0;
};

/// Builds a Value from events: feed it until complete().
class ValueBuilder final : public JsonHandler {
 public:
  void scalar(Value value) override { add(std::move(value)); }
  void number(std::string_view digits) override;
  void text(std::string_view text) override { add(Value(text)); }
  void key(std::string& key) override;
  void beginObject() override;
  void endObject() override { close(); }
  void beginArray() override;
  void endArray() override { close(); }

  bool complete() const noexcept { return complete_; }
  /// The value; the builder is then ready for another.
  Value take();
  /// Values built since the last take().
  i64 count() const noexcept { return count_; }

 private:
  void add(Value value);
  void close();
  std::vector<Value> open_;  // innermost last
  std::vector<std::string> keys_;
  Value result_;
  i64 count_ = 0;
  bool complete_ = false;
};

/// The double that `digits` stand for. Throws IoError (`op`) beyond the range of double.
double parseDouble(std::string_view digits, const char* op);

}  // namespace ember::io
