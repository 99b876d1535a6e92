#include "conformance/Wire.h"

#include <bit>

#include <fmt/format.h>

#include <ember/core/Error.h>

namespace ember::test::onnx {

float Field::real() const noexcept { return std::bit_cast<float>(static_cast<u32>(number)); }

void Message::refuse(const std::string& what) const {
  throw IoError("onnx", fmt::format("{}: {} at byte {} of {}", name_, what, position_, bytes_.size()));
}

void Message::expect(const Field& field, Field::Wire wire) const {
  if (field.wire == wire) return;
  refuse(fmt::format("field {} has wire type {}, expected {}", field.id, static_cast<int>(field.wire),
                     static_cast<int>(wire)));
}

std::string_view Message::take(u64 count, const char* what) {
  if (count > bytes_.size() - position_) refuse(fmt::format("{} of {} bytes goes past the end", what, count));
  const std::string_view taken = bytes_.substr(position_, static_cast<std::size_t>(count));
  position_ += static_cast<std::size_t>(count);
  return taken;
}

u64 Message::varint() {
  u64 value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (atEnd()) refuse("a varint goes past the end");
    const u64 byte = static_cast<unsigned char>(bytes_[position_++]);
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return value;
  }
  refuse("a varint has more than 64 bits");
}

u64 Message::fixed(std::size_t count) {
  u64 value = 0;
  unsigned shift = 0;
  for (const char byte : take(count, "a number")) {
    value |= static_cast<u64>(static_cast<unsigned char>(byte)) << shift;
    shift += 8;
  }
  return value;
}

bool Message::next(Field& field) {
  if (atEnd()) return false;
  const u64 tag = varint();
  field = {};
  if (tag >> 3 == 0 || tag >> 3 > 0x1FFFFFFF) refuse(fmt::format("field number {}", tag >> 3));
  field.id = static_cast<u32>(tag >> 3);
  switch (tag & 7) {
    case 0: field.number = varint(); break;
    case 1: field.number = fixed(8); break;
    case 2: field.bytes = take(varint(), "a value"); break;
    case 5: field.number = fixed(4); break;
    default: refuse(fmt::format("wire type {}", tag & 7));
  }
  field.wire = static_cast<Field::Wire>(tag & 7);
  return true;
}

}  // namespace ember::test::onnx
