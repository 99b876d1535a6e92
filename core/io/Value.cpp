#include <ember/core/io/Value.h>

#include <charconv>
#include <cmath>
#include <system_error>
#include <type_traits>
#include <utility>

#include <ember/core/Error.h>
#include <ember/core/io/JsonWriter.h>
#include <ember/core/io/Text.h>

namespace ember {
namespace {

constexpr i64 largestExact = (i64{1} << 53) - 1;  // beyond it JSON readers that know only double lose digits

[[noreturn]] void wrongKind(std::string_view what, const Value& value, std::string_view expected) {
  const bool small = !value.isArray() && !value.isObject();
  throw ValueError(
      "json", io::inQuotes(what) + " is " + std::string(value.kindName()) + ", expected " + std::string(expected),
      small ? Error::Details{{"found", value.isString() ? io::inQuotes(value.as<std::string>()) : value.dump()}}
            : Error::Details{});
}

[[noreturn]] void outOfRange(std::string_view what, std::string_view found, std::string_view low,
                             std::string_view high) {
  throw ValueError("json", io::inQuotes(what) + " is " + std::string(found) + ", expected " + std::string(low) +
                               " to " + std::string(high));
}

template <class T>
bool parseInteger(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

}  // namespace

// ---- making ----

// By hand: the copy of a libstdc++ variant whose alternatives all move without exceptions destroys what was never there
// when the copy of an alternative throws (libstdc++ 12, _Variant_storage::_M_reset).
Value::Value(const Value& other) {
  std::visit([this](const auto& held) { data_ = std::decay_t<decltype(held)>(held); }, other.data_);
}

Value& Value::operator=(const Value& other) {
  if (this != &other) *this = Value(other);
  return *this;
}

Value::Value(std::initializer_list<Member> members) : data_(Members(members)) {
  const auto& all = std::get<Members>(data_);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (find(all[i].first) != &all[i].second)
      throw ValueError("json", "the key " + io::inQuotes(all[i].first) + " stands twice in one object");
  }
}

void Value::setSigned(i64 value) {
  if (value > largestExact || value < -largestExact)
    data_ = std::to_string(value);
  else
    data_ = value;
}

void Value::setUnsigned(u64 value) {
  if (value > static_cast<u64>(largestExact))
    data_ = std::to_string(value);
  else
    data_ = static_cast<i64>(value);
}

void Value::setDouble(double value) {
  if (std::isnan(value))
    data_ = std::string("NaN");
  else if (std::isinf(value))
    data_ = std::string(value > 0 ? "Infinity" : "-Infinity");
  else
    data_ = value;
}

// ---- asking ----

std::string_view Value::kindName() const noexcept {
  switch (kind()) {
    case Kind::Null:
      return "null";
    case Kind::Bool:
      return "a bool";
    case Kind::Int:
      return "an integer";
    case Kind::Double:
      return "a number with a fraction";
    case Kind::String:
      return "a string";
    case Kind::Array:
      return "an array";
    case Kind::Object:
      break;
  }
  return "an object";
}

bool Value::toBool(std::string_view what) const {
  if (const bool* value = std::get_if<bool>(&data_)) return *value;
  wrongKind(what, *this, "true or false");
}

i64 Value::toSigned(std::string_view what, i64 low, i64 high) const {
  i64 value = 0;
  if (const i64* held = std::get_if<i64>(&data_)) {
    value = *held;
  } else if (const auto* text = std::get_if<std::string>(&data_); !text || !parseInteger(*text, value)) {
    wrongKind(what, *this, "an integer");
  }
  if (value < low || value > high) outOfRange(what, std::to_string(value), std::to_string(low), std::to_string(high));
  return value;
}

u64 Value::toUnsigned(std::string_view what, u64 high) const {
  u64 value = 0;
  if (const i64* held = std::get_if<i64>(&data_)) {
    if (*held < 0) outOfRange(what, std::to_string(*held), "0", std::to_string(high));
    value = static_cast<u64>(*held);
  } else if (const auto* text = std::get_if<std::string>(&data_); !text || !parseInteger(*text, value)) {
    wrongKind(what, *this, "an integer, not negative");
  }
  if (value > high) outOfRange(what, std::to_string(value), "0", std::to_string(high));
  return value;
}

double Value::toDouble(std::string_view what) const {
  if (const double* value = std::get_if<double>(&data_)) return *value;
  if (const i64* value = std::get_if<i64>(&data_)) return static_cast<double>(*value);
  if (const auto* text = std::get_if<std::string>(&data_)) {
    if (*text == "NaN") return std::numeric_limits<double>::quiet_NaN();
    if (*text == "Infinity") return std::numeric_limits<double>::infinity();
    if (*text == "-Infinity") return -std::numeric_limits<double>::infinity();
  }
  wrongKind(what, *this, "a number");
}

const std::string& Value::toText(std::string_view what) const {
  if (const auto* value = std::get_if<std::string>(&data_)) return *value;
  wrongKind(what, *this, "a string");
}

const Value::Elements& Value::elementsOf(std::string_view what) const {
  if (const auto* value = std::get_if<Elements>(&data_)) return *value;
  wrongKind(what, *this, "an array");
}

// ---- objects ----

const Value* Value::find(std::string_view key) const noexcept {
  if (const auto* members = std::get_if<Members>(&data_)) {
    for (const auto& [name, value] : *members) {
      if (name == key) return &value;
    }
  }
  return nullptr;
}

const Value& Value::at(std::string_view key) const { return at({key}); }

const Value& Value::at(std::initializer_list<std::string_view> path) const {
  const Value* value = this;
  std::string walked;
  for (const std::string_view key : path) {
    if (!value->isObject()) wrongKind(walked.empty() ? "value" : walked, *value, "an object");
    const Value* next = value->find(key);
    walked.append(walked.empty() ? "" : ".").append(key);
    if (!next) {
      std::string known;
      for (const auto& member : value->members()) {
        if (known.size() < 200) known.append(known.empty() ? "" : ", ").append(io::inQuotes(member.first));
      }
      throw ValueError("json", "no field " + io::inQuotes(walked), {{"fields", known.empty() ? "none" : known}});
    }
    value = next;
  }
  return *value;
}

Value& Value::set(std::string_view key, Value value) {
  if (isNull()) data_ = Members();
  if (!isObject()) wrongKind("value", *this, "an object");
  for (auto& [name, held] : std::get<Members>(data_)) {
    if (name == key) {
      held = std::move(value);
      return *this;
    }
  }
  return append(std::string(key), std::move(value));
}

Value& Value::append(std::string key, Value value) {
  std::get<Members>(data_).emplace_back(std::move(key), std::move(value));
  return *this;
}

const Value::Members& Value::members() const& {
  if (const auto* members = std::get_if<Members>(&data_)) return *members;
  wrongKind("value", *this, "an object");
}

std::string Value::joined(std::initializer_list<std::string_view> path) {
  std::string text;
  for (const std::string_view key : path) text.append(text.empty() ? "" : ".").append(key);
  return text;
}

// ---- arrays ----

Value& Value::push(Value element) {
  if (isNull()) data_ = Elements();
  if (!isArray()) wrongKind("value", *this, "an array");
  std::get<Elements>(data_).push_back(std::move(element));
  return *this;
}

const Value::Elements& Value::elements() const& { return elementsOf("value"); }

const Value& Value::operator[](std::size_t index) const {
  const Elements& all = elements();
  if (index >= all.size())
    throw ValueError("json", "element " + std::to_string(index) + " of an array of " + std::to_string(all.size()));
  return all[index];
}

std::size_t Value::size() const noexcept {
  if (const auto* elements = std::get_if<Elements>(&data_)) return elements->size();
  if (const auto* members = std::get_if<Members>(&data_)) return members->size();
  return 0;
}

// ---- text and comparison ----

std::string Value::dump() const {
  std::string text;
  io::appendJson(text, *this);
  return text;
}

std::string Value::dumpReadable(int width) const {
  std::string text;
  io::appendJson(text, *this, width);
  return text;
}

bool operator==(const Value& a, const Value& b) noexcept {
  using Kind = Value::Kind;
  const auto number = [](const Value& v) {
    const double* fraction = std::get_if<double>(&v.data_);
    return fraction ? *fraction : static_cast<double>(std::get<i64>(v.data_));  // exact: integers stay below 2^53
  };
  const auto isNumber = [](const Value& v) { return v.kind() == Kind::Int || v.kind() == Kind::Double; };
  if (isNumber(a) && isNumber(b)) return number(a) == number(b);
  if (a.kind() != b.kind()) return false;
  if (!a.isObject()) return a.data_ == b.data_;
  if (a.size() != b.size()) return false;
  for (const auto& [key, value] : a.members()) {
    const Value* other = b.find(key);
    if (!other || !(value == *other)) return false;
  }
  return true;
}

std::string firstDifference(const Value& here, const Value& there) {
  const auto compare = [](const auto& self, const Value& a, const Value& b, const std::string& path) -> std::string {
    if (a == b) return {};
    const auto shortened = [](const Value& v) {
      std::string text = v.dump();
      return text.size() <= 80 ? text : text.substr(0, 77) + "...";
    };
    const std::string name = path.empty() ? "the whole" : path;
    if (a.isObject() && b.isObject()) {
      for (const auto& [key, value] : a.members()) {
        const std::string inner = path.empty() ? key : path + "." + key;
        const Value* other = b.find(key);
        if (!other) return inner + " is " + shortened(value) + " here and missing there";
        if (std::string found = self(self, value, *other, inner); !found.empty()) return found;
      }
      for (const auto& [key, value] : b.members()) {
        if (!a.has(key))
          return (path.empty() ? key : path + "." + key) + " is missing here and " + shortened(value) + " there";
      }
    }
    if (a.isArray() && b.isArray()) {
      for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        if (std::string found = self(self, a[i], b[i], path + "[" + std::to_string(i) + "]"); !found.empty())
          return found;
      }
      return name + " has " + std::to_string(a.size()) + " elements here and " + std::to_string(b.size()) + " there";
    }
    return name + " is " + shortened(a) + " here and " + shortened(b) + " there";
  };
  return compare(compare, here, there, "");
}

}  // namespace ember
