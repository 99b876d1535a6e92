#pragma once
#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <utility>

#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>

#include "support/Headline.h"

/// Checkpoints as text: written, spoilt and read again without a file.
namespace ember::test {

struct StringSink final : io::ByteSink {
  void write(std::string_view bytes) override { text += bytes; }
  std::string text;
};

inline std::string written(const io::Checkpoint& checkpoint, const io::CheckpointOptions& options = {}) {
  StringSink sink;
  io::writeCheckpoint(sink, checkpoint, options);
  return sink.text;
}

inline io::Checkpoint readText(std::string_view text) {
  io::MemorySource source(text, "net.json");
  return io::readCheckpoint(source);
}

inline std::string readError(std::string_view text) {
  return messageOf<IoError>([&] { readText(text); });
}

/// Row-major bytes.
inline std::string bytesOf(const core::NDArray& array) {
  const core::NDArray dense = array.contiguous();
  return {static_cast<const char*>(dense.raw()), static_cast<std::size_t>(dense.bytes())};
}

/// An array whose elements have the bytes 1, 2, 3, ... (0, 1, 0, 1 for bool).
inline core::NDArray counted(const Shape& shape, DType dtype, MemoryOrder order = MemoryOrder::RowMajor) {
  const core::NDArray array = core::NDArray::empty(shape, dtype, order);
  auto* bytes = static_cast<u8*>(array.raw());
  for (i64 i = 0; i < array.bytes(); ++i) bytes[i] = static_cast<u8>(dtype == DType::Bool ? i % 2 : i * 37 + 1);
  return array;
}

inline io::Checkpoint small() {
  io::Checkpoint checkpoint;
  checkpoint.model = {{"type", "Linear"}, {"args", {{"in", 2}, {"out", 3}}}};
  checkpoint.train = {{"epoch", 3}, {"step", Value::counter(i64{2815})}};
  checkpoint.tensors = {{"weight", "param", core::NDArray::from<float>({0.1f, -0.0f, 1, 2, 3, 4e-45f}, {3, 2})},
                        {"count", "buffer", core::NDArray::from<i64>({7}, {})},
                        {"bias", "param", core::NDArray::from<float>({1, 2, 3}, {3})}};
  return checkpoint;
}

/// `text` without the sum of its header, as somebody leaves it who edits a file.
inline std::string unsummed(std::string text) {
  const auto at = text.find(", \"header_crc32\": ");
  return at == text.npos ? text : text.erase(at, std::string_view(R"(, "header_crc32": "01234567")").size());
}

/// `text` with the first `from` replaced, and without the sum of its header.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  REQUIRE_MESSAGE(at != text.npos, std::string(from));
  return unsummed(text.replace(at, from.size(), to));
}

/// What is said of that.
inline std::string replacedError(std::string text, std::string_view from, std::string_view to) {
  return readError(replaced(std::move(text), from, to));
}

/// The same file with "data" before everything else: it takes a second pass.
inline std::string dataFirst(std::string text) {
  const auto data = text.find("  \"data\": {"), end = text.find("  \"end\": {");
  const std::string part = text.substr(data, end - data);
  text.erase(data, part.size());
  return text.insert(2, part);
}

/// The line that `part` is in.
inline std::string line(std::string_view text, std::string_view part) {
  const auto at = text.find(part), begin = text.rfind('\n', at) + 1;
  return std::string(text.substr(begin, text.find('\n', at) - begin));
}

}  // namespace ember::test
