#pragma once
#include <string>
#include <string_view>

#include <ember/core/io/JsonWriter.h>

namespace ember::fuzz {

/// Keeps what is written.
class TextSink final : public io::ByteSink {
 public:
  void write(std::string_view bytes) override { text.append(bytes); }
  std::string text;
};

}  // namespace ember::fuzz
