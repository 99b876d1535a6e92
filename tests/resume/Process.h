#pragma once
#include <string>
#include <vector>

namespace ember::test {

/// This program again, as a process of its own.
class Process {
 public:
  explicit Process(const std::vector<std::string>& arguments);
  ~Process();  ///< kills it if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void kill();
  /// Waits for its end: the exit code, or 128 + the signal that ended it.
  int wait();

 private:
  int id_ = 0;
};

inline constexpr int killed = 128 + 9;

}  // namespace ember::test
