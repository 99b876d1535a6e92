#include <ember/core/io/CheckpointPayload.h>

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <system_error>
#include <type_traits>

#include <ember/core/Error.h>
#include <ember/core/io/Base64.h>
#include <ember/core/io/Text.h>

// Elements are written as they lie in memory.
static_assert(std::endian::native == std::endian::little, "checkpoints hold little-endian bytes");

namespace ember::io {
namespace {

using core::NDArray;

std::size_t byteCount(const NDArray& array) { return static_cast<std::size_t>(array.bytes()); }

template <class T>
void appendElement(std::string& out, T value) {
  if constexpr (std::is_same_v<T, bf16>)
    appendJsonNumber(out, static_cast<float>(value));
  else if constexpr (std::is_floating_point_v<T>)
    appendJsonNumber(out, value);
  else if constexpr (std::is_same_v<T, bool>)
    out += value ? "true" : "false";
  else
    out += std::to_string(value);
}

/// The value in T of `digits`, which a JSON reader has found to be a number; a sentence if it is beyond T's range.
template <class T>
std::string parseFloating(std::string_view digits, T& value) {
  const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), value).ec;
  if (error == std::errc()) return {};
  return inQuotes(digits) + " is beyond the range of the type";
}

template <class T>
std::string storeDigits(std::string_view digits, u8* to) {
  if constexpr (std::is_same_v<T, bf16>) {
    float wide = 0;
    if (std::string problem = parseFloating(digits, wide); !problem.empty()) return problem;
    const bf16 value(wide);
    if (!std::isfinite(static_cast<float>(value))) return inQuotes(digits) + " is beyond the range of the type";
    std::memcpy(to, &value, sizeof value);
  } else if constexpr (std::is_floating_point_v<T>) {
    T value{};
    if (std::string problem = parseFloating(digits, value); !problem.empty()) return problem;
    std::memcpy(to, &value, sizeof value);
  } else {
    return inQuotes(digits) + (std::is_same_v<T, bool> ? " is not true or false" : " is no integer");
  }
  return {};
}

template <class T>
std::string storeScalar(const Value& element, u8* to) {
  if (element.isNull()) return "it is null (NaN written by a JSON library?)";
  const bool isBool = element.kind() == Value::Kind::Bool;
  if constexpr (std::is_same_v<T, bool>) {
    if (!isBool) return "it is not true or false";
    const bool value = element.as<bool>();
    std::memcpy(to, &value, sizeof value);
    return {};
  } else {
    if (isBool) return "it is a bool, expected a number";
    // Integers beyond 2^53 arrive as text.
    if constexpr (std::is_floating_point_v<T> || std::is_same_v<T, bf16>) {
      return storeDigits<T>(element.isInt() ? std::to_string(element.as<i64>()) : element.as<std::string>(), to);
    } else {
      const std::string digits = element.isInt() ? std::to_string(element.as<i64>()) : element.as<std::string>();
      T value{};
      const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), value).ec;
      if (error != std::errc()) return digits + " is beyond the range of the type";
      std::memcpy(to, &value, sizeof value);
      return {};
    }
  }
}

}  // namespace

u32 payloadCrc(const NDArray& array) {
  Crc32 crc;
  crc.update(array.raw(), byteCount(array));
  return crc.value();
}

bool fitsDecimal(const NDArray& array) {
  return dispatch(array.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* values = array.data<T>();
    for (i64 i = 0; i < array.numel(); ++i) {
      if constexpr (std::is_same_v<T, bf16>) {
        if (!std::isfinite(static_cast<float>(values[i]))) return false;
      } else if constexpr (std::is_floating_point_v<T>) {
        if (!std::isfinite(values[i])) return false;
      } else if constexpr (std::is_same_v<T, i64>) {
        constexpr i64 largest = (i64{1} << 53) - 1;
        if (values[i] > largest || values[i] < -largest) return false;
      }
    }
    return true;
  });
}

void writePayload(JsonWriter& writer, const NDArray& array, Encoding encoding) {
  writer.beginArray();
  std::string line;
  if (encoding == Encoding::Base64) {
    const u8* bytes = static_cast<const u8*>(array.raw());
    for (std::size_t at = 0, total = byteCount(array); at < total; at += chunkBytes) {
      line = '"';
      appendBase64(line, bytes + at, std::min(chunkBytes, total - at));
      line += '"';
      writer.raw(line);
    }
  } else {
    constexpr std::size_t columns = 110;
    dispatch(array.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* values = array.data<T>();
      for (i64 i = 0; i < array.numel(); ++i) {
        if (line.size() > columns) {
          writer.raw(line);
          line.clear();
        }
        if (!line.empty()) line += ", ";
        appendElement(line, values[i]);
      }
    });
    if (!line.empty()) writer.raw(line);
  }
  writer.endArray();
}

PayloadReader::PayloadReader(const Shape& shape, DType dtype, Encoding encoding)
    : array_(NDArray::empty(shape, dtype)), encoding_(encoding), total_(byteCount(array_)) {}

std::string PayloadReader::room() {
  if (done_ < total_) return {};
  return "there are more elements than its shape " + toString(array_.shape()) + " says";
}

std::string PayloadReader::text(std::string_view text) {
  if (encoding_ == Encoding::Decimal)
    return "element " + std::to_string(done_ / itemSize(array_.dtype())) + " is a string, expected a number";
  const std::string chunk = "chunk " + std::to_string(chunks_++) + ": ";
  if (text.empty()) return chunk + "it is empty";
  if (text.size() > chunkCharacters)
    return chunk + "it has " + std::to_string(text.size()) + " characters, at most 65,536 are allowed";
  if (padded_) return chunk + "it follows one that ended with '='";
  const Base64Result result = decodeBase64(text, next(), total_ - done_);
  if (!result.problem.empty()) return chunk + result.problem;
  if (array_.dtype() == DType::Bool) {
    for (std::size_t i = 0; i < result.bytes; ++i) {
      if (next()[i] > 1) return chunk + "a bool has the byte " + std::to_string(next()[i]) + ", expected 0 or 1";
    }
  }
  padded_ = result.padded;
  done_ += result.bytes;
  return {};
}

std::string PayloadReader::scalar(const Value& value) {
  const std::string element = "element " + std::to_string(done_ / itemSize(array_.dtype())) + ": ";
  if (encoding_ == Encoding::Base64)
    return "chunk " + std::to_string(chunks_) + " is " + std::string(value.kindName()) + ", expected a base64 string";
  if (std::string problem = room(); !problem.empty()) return problem;
  std::string problem = dispatch(array_.dtype(), [&](auto zero) { return storeScalar<decltype(zero)>(value, next()); });
  if (!problem.empty()) return element + problem;
  done_ += itemSize(array_.dtype());
  return {};
}

std::string PayloadReader::number(std::string_view digits) {
  if (encoding_ == Encoding::Base64)
    return "chunk " + std::to_string(chunks_) + " is a number, expected a base64 string";
  if (std::string problem = room(); !problem.empty()) return problem;
  std::string problem =
      dispatch(array_.dtype(), [&](auto zero) { return storeDigits<decltype(zero)>(digits, next()); });
  if (!problem.empty()) return "element " + std::to_string(done_ / itemSize(array_.dtype())) + ": " + problem;
  done_ += itemSize(array_.dtype());
  return {};
}

std::string PayloadReader::finish(u32 crc) {
  if (done_ != total_) return "it has " + bytesText(done_) + ", its shape needs " + bytesText(total_);
  const u32 found = payloadCrc(array_);
  if (found == crc) return {};
  return "its check sum is " + crcText(found) + ", the header says " + crcText(crc) + ": the file is damaged";
}

}  // namespace ember::io
