#pragma once
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace bench {

/// What is being done, on standard error: one line that redraws itself on a terminal, else a line every few seconds.
class Progress {
 public:
  void show(const std::string& text) {
    const auto now = std::chrono::steady_clock::now();
    if (terminal_)
      std::fprintf(stderr, "\r\033[K%s", text.c_str());
    else if (now >= next_) {
      std::fprintf(stderr, "%s\n", text.c_str());
      next_ = now + std::chrono::seconds(5);
    }
    std::fflush(stderr);
  }
  /// A line that stays.
  void say(const std::string& text) {
    clear();
    std::fprintf(stderr, "%s\n", text.c_str());
  }
  void clear() {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }

 private:
  bool terminal_ = isatty(2) != 0;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace bench
