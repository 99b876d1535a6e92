#pragma once
#include <string>
#include <string_view>

#include <ember/core/NDArray.h>
#include <ember/core/io/Crc32.h>
#include <ember/core/io/JsonWriter.h>

/// The elements of one tensor as they stand in a checkpoint.
namespace ember::io {

enum class Encoding : u8 { Base64, Decimal };

inline constexpr std::size_t chunkBytes = 48 * 1024;       ///< of elements in one base64 string
inline constexpr std::size_t chunkCharacters = 64 * 1024;  ///< the string's length

/// CRC-32 of the elements; `array` is dense row-major.
u32 payloadCrc(const core::NDArray& array);
/// Whether decimal numbers can carry all elements: finite, integers within ±(2^53 - 1).
bool fitsDecimal(const core::NDArray& array);
/// Writes the elements of a dense row-major array as a JSON array.
void writePayload(JsonWriter& writer, const core::NDArray& array, Encoding encoding);

/// Fills an array from the elements of a payload, one call per element of the JSON array. Problems come back as
/// sentences (empty: none), for the caller knows file and tensor.
class PayloadReader {
 public:
  PayloadReader() = default;
  /// Allocates the array.
  PayloadReader(const Shape& shape, DType dtype, Encoding encoding);

  std::string text(std::string_view text);
  std::string scalar(const Value& value);
  std::string number(std::string_view digits);
  /// Whether all elements came, and whether they have that check sum.
  std::string finish(u32 crc);
  const core::NDArray& array() const noexcept { return array_; }

 private:
  u8* next() noexcept { return static_cast<u8*>(array_.raw()) + done_; }
  std::string room();

  core::NDArray array_;
  Encoding encoding_ = Encoding::Base64;
  std::size_t done_ = 0, total_ = 0;  // bytes
  i64 chunks_ = 0;
  bool padded_ = false;
};

}  // namespace ember::io
