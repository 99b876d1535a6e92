#pragma once
#include <concepts>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <ember/core/DType.h>

namespace ember {

/// A value of a JSON text: null, bool, integer, double, string, array, or object with its members in order.
///
///   Value args = {{"in", 1}, {"out", 32}, {"kernel", std::vector<i64>{3, 3}}, {"bias", false}};
///   i64 in = args.get<i64>("in");
///   int groups = args.get<int>("groups", 1);
///
/// Braces always make an object; arrays come from std::vector or Value::array({...}). What JSON numbers cannot carry
/// everywhere is kept as a string from the start, so that dump() and parse() give back an equal value: integers beyond
/// ±(2^53 - 1)
/// ("18446744073709551615") and the doubles "NaN", "Infinity", "-Infinity". as<T>() reads both forms.
/// Wrong kinds, missing fields and numbers out of range throw ValueError that names the field.
class Value {
 public:
  enum class Kind : u8 { Null, Bool, Int, Double, String, Array, Object };
  using Member = std::pair<std::string, Value>;
  using Elements = std::vector<Value>;
  using Members = std::vector<Member>;

  // ---- making ----
  Value() = default;
  Value(const Value&);
  Value(Value&&) noexcept = default;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept = default;
  template <class T>
  requires std::same_as<T, bool> Value(T value) : data_(value) {}
  template <class T>
  requires(std::integral<T> && !std::same_as<T, bool>) Value(T value) {
    if constexpr (std::unsigned_integral<T>)
      setUnsigned(value);
    else
      setSigned(value);
  }
  template <std::floating_point T>
  Value(T value) {
    setDouble(static_cast<double>(value));
  }
  template <class T>
  requires std::convertible_to<const T&, std::string_view> Value(const T& text)
      : data_(std::string(std::string_view(text))) {}
  template <class T>
  requires(!std::same_as<T, bool> && !std::same_as<T, Value>) Value(const std::vector<T>& values)
      : data_(Elements(values.begin(), values.end())) {}
  Value(Elements elements) : data_(std::move(elements)) {}
  Value(std::initializer_list<Member> members);  ///< throws ValueError on a repeated key
  static Value object() { return Value(std::initializer_list<Member>{}); }
  static Value array(std::initializer_list<Value> elements = {}) { return Value(Elements(elements)); }
  /// A 64-bit counter or seed, always as a string of digits: programs that read every number as double keep it exact.
  static Value counter(i64 value) { return Value(std::to_string(value)); }
  static Value counter(u64 value) { return Value(std::to_string(value)); }

  // ---- asking ----
  Kind kind() const noexcept { return static_cast<Kind>(data_.index()); }
  bool isNull() const noexcept { return kind() == Kind::Null; }
  bool isInt() const noexcept { return kind() == Kind::Int; }
  bool isString() const noexcept { return kind() == Kind::String; }
  bool isArray() const noexcept { return kind() == Kind::Array; }
  bool isObject() const noexcept { return kind() == Kind::Object; }
  /// "an integer", "a string", ...: for messages.
  std::string_view kindName() const noexcept;

  /// The value as bool, any integer type (range checked), float, double, std::string, std::vector of these, or Value.
  template <class T>
  T as() const {
    return convert<T>("value");
  }

  // ---- objects ----
  bool has(std::string_view key) const noexcept { return find(key) != nullptr; }
  /// The member, or null if there is none or this is no object.
  const Value* find(std::string_view key) const noexcept;
  const Value& at(std::string_view key) const;
  /// Descends through objects: at({"train", "epoch"}); the error names the whole path.
  const Value& at(std::initializer_list<std::string_view> path) const;
  template <class T>
  T get(std::string_view key) const {
    return at(key).convert<T>(key);
  }
  template <class T>
  T get(std::initializer_list<std::string_view> path) const {
    return at(path).convert<T>(joined(path));
  }
  /// `fallback` if the member is missing; a member of a wrong kind still throws.
  template <class T>
  T get(std::string_view key, const T& fallback) const {
    const Value* member = find(key);
    return member ? member->convert<T>(key) : fallback;
  }
  /// Replaces or appends a member; null becomes an object first. Returns *this.
  Value& set(std::string_view key, Value value);
  /// Appends a member that an object is known not to have yet. Returns *this.
  Value& append(std::string key, Value value);
  /// Members in order. Throws ValueError if this is no object.
  const Members& members() const&;
  /// Of a temporary, as in a range-for over args().members().
  Members members() && { return std::as_const(*this).members(); }

  // ---- arrays ----
  /// Appends; null becomes an array first. Returns *this.
  Value& push(Value element);
  /// Elements in order. Throws ValueError if this is no array.
  const Elements& elements() const&;
  Elements elements() && { return std::as_const(*this).elements(); }
  const Value& operator[](std::size_t index) const;
  /// Number of elements or members; 0 for anything else.
  std::size_t size() const noexcept;

  // ---- text ----
  /// On one line: {"in": 1, "kernel": [3, 3]}. The same bytes under every locale.
  std::string dump() const;
  /// Over several lines; what fits into `width` columns stays on one.
  std::string dumpReadable(int width = 110) const;
  /// Reads one JSON text. Throws IoError: malformed, repeated keys, nested deeper than 32, trailing text.
  static Value parse(std::string_view text);

  /// Same kind and content; integers and doubles compare by value, objects whatever the order of their members.
  friend bool operator==(const Value& a, const Value& b) noexcept;

 private:
  template <class T>
  struct IsVector : std::false_type {};
  template <class T>
  struct IsVector<std::vector<T>> : std::true_type {
    using Element = T;
  };

  template <class T>
  T convert(std::string_view what) const {
    if constexpr (std::same_as<T, Value>) {
      return *this;
    } else if constexpr (std::same_as<T, bool>) {
      return toBool(what);
    } else if constexpr (std::unsigned_integral<T>) {
      return static_cast<T>(toUnsigned(what, std::numeric_limits<T>::max()));
    } else if constexpr (std::signed_integral<T>) {
      return static_cast<T>(toSigned(what, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    } else if constexpr (std::floating_point<T>) {
      return static_cast<T>(toDouble(what));
    } else if constexpr (IsVector<T>::value) {
      T result;
      for (const Value& element : elementsOf(what))
        result.push_back(element.convert<typename IsVector<T>::Element>(what));
      return result;
    } else {
      static_assert(std::same_as<T, std::string>,
                    "as<T>: T is bool, an integer, a float, std::string, a vector or Value");
      return toText(what);
    }
  }
  bool toBool(std::string_view what) const;
  i64 toSigned(std::string_view what, i64 low, i64 high) const;
  u64 toUnsigned(std::string_view what, u64 high) const;
  double toDouble(std::string_view what) const;
  const std::string& toText(std::string_view what) const;
  const Elements& elementsOf(std::string_view what) const;
  static std::string joined(std::initializer_list<std::string_view> path);
  void setSigned(i64);
  void setUnsigned(u64);
  void setDouble(double);

  std::variant<std::monostate, bool, i64, double, std::string, Elements, Members> data_;
};

/// What differs first between two values, as a sentence ("layers[0].args.out is 32 here and 64 there"); empty if they
/// are equal.
std::string firstDifference(const Value& here, const Value& there);

}  // namespace ember
