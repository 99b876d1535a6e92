#include <ember/core/io/JsonReader.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <system_error>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include <ember/core/Error.h>
#include <ember/core/io/JsonWriter.h>
#include <ember/core/io/Text.h>

namespace ember::io {

/// The bytes of the source, one at a time, with the limits watched at every refill. Long plain strings, which are most
/// of a checkpoint, are taken at once: the lexer sees two quotes with nothing between, and the event the characters.
struct JsonInput {
  explicit JsonInput(JsonReader& r) : reader(r) {}

  bool ended() {
    if (next == filled && !finished) refill();
    return next == filled;
  }
  char current() const { return buffer[next]; }
  void advance() {
    const char c = buffer[next++];
    if (!inString) {
      nul = nul || c == '\0';
      if (c != '"') return;
      inString = true;
      takeString();
    } else if (escaped) {
      escaped = false;
    } else if (c == '\\') {
      escaped = true;
    } else if (c == '"') {
      inString = false;
    }
  }
  u64 position() const noexcept { return before + next; }

  /// The string that was taken at once, or `text`; valid until more is read.
  std::string_view stringOr(std::string_view text) const noexcept { return taken.empty() ? text : taken; }

  /// Reads more behind what is not consumed yet.
  void refill() {
    if (position() - lastEvent > reader.limits_.tokenBytes)
      tooLong("one string, number or gap", reader.limits_.tokenBytes);
    if (position() > reader.limits_.totalBytes)
      tooLong("the part outside the payload", std::min(reader.limits_.totalBytes, reader.limits_.totalShown));
    std::copy(buffer.begin() + next, buffer.begin() + filled, buffer.begin());
    before += next;
    filled -= next;
    next = 0;
    const std::size_t got = reader.source_.read(buffer.data() + filled, buffer.size() - filled);
    finished = got == 0;
    filled += got;
  }

  /// Behind an opening quote: passes over the string if it is long, all in the buffer, and plain.
  void takeString() {
    constexpr std::size_t least = 64;  // shorter ones stay in the lexer's messages
    taken = {};
    std::size_t length = unread().find('"');
    if (length == std::string_view::npos && !finished) {
      refill();
      length = unread().find('"');
    }
    if (length == std::string_view::npos || length < least) return;
    const std::string_view string = unread().substr(0, length);
    unsigned special = 0;  // needs the lexer: escapes, control characters, anything but ASCII
    for (const char c : string) special |= unsigned{c < ' '} | unsigned{c == 0x7f} | unsigned{c == '\\'};
    if (special) return;
    taken = string;
    next += length;
  }
  std::string_view unread() const { return {buffer.data() + next, filled - next}; }

  [[noreturn]] void tooLong(const char* what, u64 limit) const {
    throw IoError(
        reader.op_,
        inQuotes(reader.source_.name()) + " is not believable: " + what + " passes the limit of " + bytesText(limit),
        {{"place", "byte " + std::to_string(position())}});
  }

  JsonReader& reader;
  std::array<char, 1 << 18> buffer;  // holds several of the strings of 64 KiB that payloads consist of
  std::size_t next = 0, filled = 0;
  u64 before = 0, lastEvent = 0;
  bool finished = false, inString = false, escaped = false;
  bool nul = false;  // which the lexer takes for the end of the text
  std::string_view taken;
};

namespace {

/// What nlohmann's parser reads through. Single pass; all copies share the input. Default-made: the end.
struct InputIterator {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  JsonInput* input = nullptr;
  char operator*() const { return input->current(); }
  InputIterator& operator++() {
    input->advance();
    return *this;
  }
  InputIterator operator++(int) {
    input->advance();
    return *this;
  }
  friend bool operator==(const InputIterator& a, const InputIterator& b) {
    return (a.input == nullptr || a.input->ended()) == (b.input == nullptr || b.input->ended());
  }
  friend bool operator!=(const InputIterator& a, const InputIterator& b) { return !(a == b); }
};

}  // namespace

/// Passes events on, after what holds for every text: no repeated keys, bounded depth.
struct JsonEvents {
  using Json = nlohmann::json;

  JsonEvents(JsonReader& r, JsonInput& i, JsonHandler& h) : reader(r), input(i), handler(h) {}

  [[noreturn]] void moreText() const {
    throw IoError(reader.op_, inQuotes(reader.source_.name()) + " has more text behind its end",
                  {{"place", "byte " + std::to_string(input.position())}},
                  "a file holds one JSON value; was something appended to it?");
  }

  bool null() { return scalar(Value()); }
  bool boolean(bool value) { return scalar(Value(value)); }
  bool number_integer(Json::number_integer_t value) { return scalar(Value(value)); }
  bool number_unsigned(Json::number_unsigned_t value) { return scalar(Value(value)); }
  bool number_float(Json::number_float_t, const std::string& digits) {
    seen();
    // The lexer puts the point of the present locale into its text.
    std::string plain = digits;
    for (char& c : plain) {
      if (!((c >= '0' && c <= '9') || c == '-' || c == '+' || c == 'e' || c == 'E')) c = '.';
    }
    handler.number(plain);
    return rootDone();
  }
  bool string(std::string& text) {
    seen();
    handler.text(input.stringOr(text));
    return rootDone();
  }
  bool binary(Json::binary_t&) { return false; }  // JSON texts have none
  bool start_object(std::size_t) {
    open();
    keys.emplace_back();
    handler.beginObject();
    return true;
  }
  bool key(std::string& text) {
    seen();
    std::string name(input.stringOr(text));
    if (!keys.back().insert(name).second) {
      throw IoError(reader.op_,
                    inQuotes(reader.source_.name()) + " has the key " + inQuotes(name) + " twice in one object",
                    {{"place", "byte " + std::to_string(reader.position_)}});
    }
    handler.key(name);
    return true;
  }
  bool end_object() {
    seen();
    keys.pop_back();
    --depth;
    handler.endObject();
    return rootDone();
  }
  bool start_array(std::size_t) {
    open();
    handler.beginArray();
    return true;
  }
  bool end_array() {
    seen();
    --depth;
    handler.endArray();
    return rootDone();
  }

  bool parse_error(std::size_t, const std::string& token, const Json::exception& error) {
    reader.position_ = input.position();
    const std::string file = inQuotes(reader.source_.name());
    const std::string place = "byte " + std::to_string(reader.position_);
    if (complete) moreText();
    if (error.id == 406) {
      throw IoError(reader.op_, file + " has a number beyond the range of double",
                    {{"place", place}, {"number", inQuotes(token)}});
    }
    if (input.ended() && input.position() == 0) throw IoError(reader.op_, file + " is empty (0 bytes)");
    if (input.ended()) {
      Error::Details details{{"ends", "after " + bytesText(reader.position_)}};
      for (auto& line : handler.truncated()) details.push_back(std::move(line));
      throw IoError(reader.op_, file + " is cut off", details,
                    "it was not written or copied completely: take another copy");
    }
    // "[json.exception...] parse error at line 1, column 8: syntax error while parsing value - REASON; last read: ..."
    std::string reason = error.what();
    if (const auto dash = reason.find(" - "); dash != reason.npos) reason.erase(0, dash + 3);
    if (const auto last = reason.find("; last read"); last != reason.npos) reason.erase(last);
    const std::size_t tail = std::min<std::size_t>(token.size(), 40);
    const std::string near = token.substr(token.size() - tail);
    std::string help;
    const bool literal = reason.find("invalid literal") == 0 || reason.find("invalid number") == 0;
    if (literal && (near.back() == 'N' || near.back() == 'I')) {  // the lexer stops at the first letter
      help = "JSON has no NaN or Infinity: the strings \"NaN\", \"Infinity\" and \"-Infinity\" stand for them";
    }
    throw IoError(reader.op_, file + " is not valid JSON",
                  {{"place", place}, {"reason", reason}, {"near", inQuotes(near)}}, help);
  }

 private:
  void seen() {
    input.lastEvent = input.position();
    reader.position_ = input.lastEvent;
  }
  bool scalar(Value value) {
    seen();
    handler.scalar(std::move(value));
    return rootDone();
  }
  void open() {
    seen();
    if (++depth > maxJsonDepth) {
      throw IoError(
          reader.op_,
          inQuotes(reader.source_.name()) + " is nested deeper than " + std::to_string(maxJsonDepth) + " levels",
          {{"place", "byte " + std::to_string(reader.position_)}});
    }
  }
  bool rootDone() {
    complete = depth == 0;
    return true;
  }

  JsonReader& reader;
  JsonInput& input;
  JsonHandler& handler;
  std::vector<std::unordered_set<std::string>> keys;
  int depth = 0;
  bool complete = false;
};

void JsonReader::read(JsonHandler& handler) {
  position_ = 0;
  const auto input = std::make_unique<JsonInput>(*this);
  JsonEvents events(*this, *input, handler);
  nlohmann::json::sax_parse(InputIterator{input.get()}, InputIterator{}, &events);
  if (input->nul) events.moreText();
}

// ---- ValueBuilder ----

double parseDouble(std::string_view digits, const char* op) {
  double value = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc())
    throw IoError(op, "the number " + inQuotes(digits) + " is beyond the range of double");
  return value;
}

void ValueBuilder::number(std::string_view digits) { add(Value(parseDouble(digits, "json"))); }
void ValueBuilder::key(std::string& key) { keys_.push_back(std::move(key)); }
void ValueBuilder::beginObject() { open_.push_back(Value::object()); }
void ValueBuilder::beginArray() { open_.push_back(Value::array()); }

void ValueBuilder::add(Value value) {
  ++count_;
  if (open_.empty()) {
    result_ = std::move(value);
    complete_ = true;
  } else if (open_.back().isArray()) {
    open_.back().push(std::move(value));
  } else {
    open_.back().append(std::move(keys_.back()), std::move(value));
    keys_.pop_back();
  }
}

void ValueBuilder::close() {
  Value value = std::move(open_.back());
  open_.pop_back();
  add(std::move(value));
}

Value ValueBuilder::take() {
  complete_ = false;
  count_ = 0;
  return std::move(result_);
}

}  // namespace ember::io

namespace ember {

Value Value::parse(std::string_view text) {
  io::MemorySource source(text, "JSON text");
  io::ValueBuilder builder;
  io::JsonReader(source, "json", {.tokenBytes = ~u64{0}}).read(builder);
  return builder.take();
}

}  // namespace ember
