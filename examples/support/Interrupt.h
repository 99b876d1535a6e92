#pragma once
#include <ember/ember.h>

/// While it lives, Ctrl-C (SIGINT), SIGTERM and SIGHUP ask the trainer to stop after the step it is in; a save in
/// progress goes on. A second signal ends the program at once, as it would have without this. A signal that was ignored
/// stays ignored (nohup, background jobs of scripts). One at a time.
class Interrupt {
 public:
  explicit Interrupt(ember::optim::Trainer& trainer);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// The signal that came, or 0.
  static int signal() noexcept;
  /// "Ctrl-C", "SIGTERM" or "SIGHUP".
  static const char* signalName() noexcept;
};
