#include "Console.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <ember/core/io/Text.h>

namespace console {
namespace {

bool lost = false;

}  // namespace

void open() {
  ::signal(SIGPIPE, SIG_IGN);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // open() takes the lowest number that is free, which is this one. A closed output stays one that cannot be written.
    if (::fcntl(stream, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDONLY));
  }
}

void write(std::string_view text) {
  if (lost) return;
  errno = 0;
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return;
  lost = true;
  complain(fmt::format("cannot write to standard output ({}); everything else goes on", std::strerror(errno)));
}

void complain(std::string_view text) {
  const std::string line = ember::io::printableLines(text, 4096);  // names from files may hold commands to a terminal
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fputc('\n', stderr);
}

int exitCode(int code) { return code == 0 && lost ? 1 : code; }

}  // namespace console
