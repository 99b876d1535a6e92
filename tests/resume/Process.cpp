#include "resume/Process.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace ember::test {

Process::Process(const std::vector<std::string>& arguments) {
  std::vector<std::string> texts{"/proc/self/exe"};
  texts.insert(texts.end(), arguments.begin(), arguments.end());
  std::vector<char*> words;
  for (std::string& text : texts) words.push_back(text.data());
  words.push_back(nullptr);
  const int error = ::posix_spawn(&id_, "/proc/self/exe", nullptr, nullptr, words.data(), environ);
  if (error != 0) throw std::runtime_error("cannot start a process: error " + std::to_string(error));
}

Process::~Process() {
  if (id_ == 0) return;
  kill();
  wait();
}

void Process::kill() { ::kill(id_, SIGKILL); }

int Process::wait() {
  int status = 0;
  while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
  }
  id_ = 0;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace ember::test
