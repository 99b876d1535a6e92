#include "Interrupt.h"

#include <signal.h>

#include <atomic>

namespace {

constexpr int handled[] = {SIGINT, SIGTERM, SIGHUP};
std::atomic<ember::optim::Trainer*> running{nullptr};
std::atomic<int> received{0};
static_assert(std::atomic<ember::optim::Trainer*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void setHandler(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // a save in progress is not disturbed
  sigaction(number, &action, nullptr);
}

// Calls only what a handler may call.
void onSignal(int number) {
  if (received.exchange(number) != 0) {
    setHandler(number, SIG_DFL);
    raise(number);  // comes when this handler returns
    return;
  }
  if (auto* trainer = running.load()) trainer->stop();
}

bool isIgnored(int number) {
  struct sigaction present {};
  return sigaction(number, nullptr, &present) == 0 && present.sa_handler == SIG_IGN;
}

}  // namespace

Interrupt::Interrupt(ember::optim::Trainer& trainer) {
  running = &trainer;
  for (const int number : handled) {
    if (!isIgnored(number)) setHandler(number, onSignal);
  }
}

Interrupt::~Interrupt() {
  for (const int number : handled) {
    if (!isIgnored(number)) setHandler(number, SIG_DFL);
  }
  running = nullptr;
}

int Interrupt::signal() noexcept { return received; }

const char* Interrupt::signalName() noexcept {
  return received == SIGTERM ? "SIGTERM" : received == SIGHUP ? "SIGHUP" : "Ctrl-C";
}
