#include "Process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include <fmt/format.h>

namespace bench {
namespace {

double monotonic() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void sleepSeconds(double seconds) { usleep(static_cast<useconds_t>(seconds * 1e6)); }

}  // namespace

Process::Process(const std::vector<std::string>& command, const Environment& environment) : what_(command[0]) {
  for (std::size_t i = 1; i < command.size(); ++i) what_ += " " + command[i];
  what_ = what_.substr(what_.rfind('/', what_.find(' ')) + 1);
  int toChild[2], fromChild[2];
  if (pipe2(toChild, O_CLOEXEC) != 0 || pipe2(fromChild, O_CLOEXEC) != 0)
    throw ProcessError(what_ + ": no pipe: " + std::strerror(errno));
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) throw ProcessError(what_ + ": cannot fork: " + std::strerror(errno));
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(toChild[0], 0);
    dup2(fromChild[1], 1);
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    setenv("BENCH_STARTED", fmt::format("{:.0f}", monotonic() * 1e9).c_str(), 1);
    execv(arguments[0], arguments.data());
    const char text[] = "error cannot be started\n";
    _exit(write(1, text, sizeof text - 1) < 0 ? 126 : 127);
  }
  close(toChild[0]);
  close(fromChild[1]);
  in_ = toChild[1], out_ = fromChild[0];
  try {
    const std::string line = readLine(600);
    if (line.rfind("first ", 0) != 0) throw ProcessError(what_ + ": " + line);
    first_ = std::atof(line.c_str() + 6);
  } catch (...) {
    finish();
    throw;
  }
}

Process::~Process() { finish(); }

std::string Process::finish() {
  if (pid_ < 0) return {};
  if (in_ >= 0) close(in_);  // the end of its input ends it
  int status = 0;
  pid_t gone = 0;
  for (int i = 0; i < 500 && gone == 0; ++i) {
    gone = waitpid(pid_, &status, WNOHANG);
    if (gone == 0) sleepSeconds(0.01);
  }
  if (gone == 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, &status, 0);
  }
  if (out_ >= 0) close(out_);
  pid_ = -1, in_ = out_ = -1;
  if (gone == 0) return "hung and was killed";
  if (WIFSIGNALED(status)) return fmt::format("died of signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
  return fmt::format("ended with code {}", WEXITSTATUS(status));
}

std::string Process::readLine(double timeoutSeconds) {
  const double until = monotonic() + timeoutSeconds;
  for (;;) {
    if (const auto end = buffered_.find('\n'); end != std::string::npos) {
      std::string line = buffered_.substr(0, end);
      buffered_.erase(0, end + 1);
      return line;
    }
    pollfd waiting{out_, POLLIN, 0};
    const double left = until - monotonic();
    if (left <= 0) throw ProcessError(fmt::format("{}: no answer within {:.0f} s", what_, timeoutSeconds));
    if (poll(&waiting, 1, static_cast<int>(left * 1000) + 1) <= 0) continue;
    char bytes[4096];
    const ssize_t got = read(out_, bytes, sizeof bytes);
    if (got > 0)
      buffered_.append(bytes, static_cast<std::size_t>(got));
    else if (got == 0)
      throw ProcessError(what_ + ": " + finish());
  }
}

std::string Process::ask(const std::string& command, const std::string& expected, double timeoutSeconds) {
  if (pid_ < 0) throw ProcessError(what_ + ": is gone");
  const std::string line = command + "\n";
  if (write(in_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    throw ProcessError(what_ + ": " + finish());
  const std::string answer = readLine(timeoutSeconds);
  if (answer.rfind(expected + " ", 0) != 0) throw ProcessError(what_ + ": " + answer);
  return answer.substr(expected.size() + 1);
}

double Process::cpuSeconds() const {
  std::ifstream file(fmt::format("/proc/{}/stat", pid_));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto end = text.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream fields(text.substr(end + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) fields >> skipped;
  double user = 0, system = 0;  // fields 14 and 15, in ticks
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double machineCpuSeconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, steal = 0;
  file >> word >> user >> nice >> system >> idle >> wait >> irq >> softIrq >> steal;
  return (user + nice + system + irq + softIrq + steal) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace bench
