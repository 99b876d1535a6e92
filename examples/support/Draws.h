#pragma once
#include <cmath>

#include <ember/core/Random.h>

/// The random numbers of one sample, one after another: functions of (seed, stream, sample) alone, made of exact
/// operations only, so that data made of them have the same bits on every machine.
class Draws {
 public:
  Draws(ember::u64 seed, ember::u64 stream, ember::i64 sample) : key_{seed, stream, static_cast<ember::u64>(sample)} {}

  double uniform(double low, double high) { return low + (high - low) * ember::random::uniform(key_, next_++); }
  /// A whole number from low to high, both included.
  ember::i64 whole(ember::i64 low, ember::i64 high) {
    return low + static_cast<ember::i64>(ember::random::below(key_, next_++, static_cast<ember::u64>(high - low + 1)));
  }
  bool chance(double p) { return uniform(0, 1) < p; }
  /// Mean 0, standard deviation 1, nearly normal: the sum of four uniform numbers, whose deviation is 1/sqrt(3). (A
  /// normal one needs a logarithm, which differs between C libraries.)
  double noise() {
    const auto words = ember::random::words(key_, next_++);
    const double sum = 0x1p-32 * (0.0 + words[0] + words[1] + words[2] + words[3]);
    return (sum - 2) * 1.7320508075688772;
  }

 private:
  ember::random::Key key_;
  ember::u64 next_ = 0;
};
