#pragma once
#include <string>
#include <string_view>

#include <ember/core/DType.h>

/// The wire format of protocol buffers: a message is a row of fields, each a tag (field number, wire type) and a value.
namespace ember::test::onnx {

/// One field of a message: `number` holds the value of wire types 0, 1 and 5, `bytes` that of type 2.
struct Field {
  enum class Wire : u8 { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

  u32 id = 0;
  Wire wire = Wire::Varint;
  u64 number = 0;
  std::string_view bytes;

  /// Two's complement, as protocol buffers write int32 and int64.
  i64 integer() const noexcept { return static_cast<i64>(number); }
  float real() const noexcept;  ///< the bits of a Fixed32
};

/// Reads the fields of one message in order. `name` says whose bytes these are; it stands in every error.
///
/// Throws IoError where bytes end within a varint, a number or a length-delimited value, for varints of more than 64
/// bits, field number 0 and wire types other than the four above.
class Message {
 public:
  Message(std::string_view bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}
  /// False at the end of the message.
  bool next(Field& field);
  /// The next varint; for packed lists, which are varints and nothing else.
  u64 varint();
  /// The next little-endian number of `count` bytes, 4 or 8.
  u64 fixed(std::size_t count);
  bool atEnd() const noexcept { return position_ == bytes_.size(); }
  const std::string& name() const noexcept { return name_; }
  [[noreturn]] void refuse(const std::string& what) const;
  /// Throws IoError unless the field has this wire type.
  void expect(const Field& field, Field::Wire wire) const;

 private:
  std::string_view take(u64 count, const char* what);

  std::string_view bytes_;
  std::size_t position_ = 0;
  std::string name_;
};

}  // namespace ember::test::onnx
