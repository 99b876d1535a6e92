#pragma once
#include <sys/types.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// A child that ended, crashed, hung or answered "error"; what() says which.
struct ProcessError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A program under the protocol of ../Child.h: started, asked line by line, and gone with this object.
class Process {
 public:
  using Environment = std::vector<std::pair<std::string, std::string>>;
  /// Starts it and waits for its first line. Throws ProcessError.
  Process(const std::vector<std::string>& command, const Environment& environment);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Sends a command and returns what follows the expected word of the answer. Throws ProcessError.
  std::string ask(const std::string& command, const std::string& expected, double timeoutSeconds = 300);
  /// Seconds from the start to the end of its first step.
  double first() const { return first_; }
  /// Processor time that it has used, in seconds.
  double cpuSeconds() const;

 private:
  pid_t pid_ = -1;
  int in_ = -1, out_ = -1;  ///< its standard input and output, this end
  std::string buffered_, what_;
  double first_ = 0;

  std::string readLine(double timeoutSeconds);
  /// Ends it, by force if need be; returns how it ended.
  std::string finish();
};

/// Processor seconds that the whole machine has spent on anything since it was started.
double machineCpuSeconds();

}  // namespace bench
