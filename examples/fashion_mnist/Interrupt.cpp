#include "Interrupt.h"

#include <signal.h>

#include <atomic>

namespace {

std::atomic<ember::optim::Trainer*> running{nullptr};
std::atomic<int> received{0};
static_assert(std::atomic<ember::optim::Trainer*>::is_always_lock_free && std::atomic<int>::is_always_lock_free);

void onSignal(int number) {
  received = number;
  if (auto* trainer = running.load()) trainer->stop();
}

void setHandler(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags =
      static_cast<int>(SA_RESTART | SA_RESETHAND);  // a save in progress is not disturbed; the second one kills
  for (const int number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt(ember::optim::Trainer& trainer) {
  running = &trainer;
  setHandler(onSignal);
}

Interrupt::~Interrupt() {
  setHandler(SIG_DFL);
  running = nullptr;
}

int Interrupt::signal() noexcept { return received; }
