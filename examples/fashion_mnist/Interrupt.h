#pragma once
#include <ember/ember.h>

/// While it lives, Ctrl-C (SIGINT) and SIGTERM ask the trainer to stop after the step it is in. A second signal of the
/// same kind ends the program at once, as it would have without this.
class Interrupt {
 public:
  explicit Interrupt(ember::optim::Trainer& trainer);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  /// The signal that came, or 0.
  static int signal() noexcept;
};
