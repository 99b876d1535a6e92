#pragma once
#include <string>

#include <ember/core/Warn.h>

namespace ember::test {

/// What is warned of meanwhile.
class Warnings {
 public:
  Warnings() : before_(setWarningHandler([this](std::string_view text) { said += std::string(text) + "\n"; })) {}
  ~Warnings() { setWarningHandler(before_); }
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;
  std::string said;

 private:
  WarningHandler before_;
};

}  // namespace ember::test
