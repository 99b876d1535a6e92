#pragma once
#include <string>
#include <vector>

#include "train/SmallRun.h"

namespace ember::test {

/// A kind of run that is killed and resumed: two epochs of four steps.
struct Case {
  std::string optimizer = "SGD";  ///< with momentum, or "Adam"
  bool batchNorm = true, dropout = false;
  std::string schedule = "none";  ///< "none", "oneCycle", "plateau" (which keeps its best epoch, too)
  bool ema = false;
  bool augmented = false;
  i64 accumulate = 1;
  i64 saveEvery = 1;  ///< steps
  int width = 4;      ///< channels: how large the file is

  /// "Adam/1/0/plateau/1/0/1/1/4": what the program is called with.
  std::string text() const;
  static Case parse(const std::string& text);
  /// "Adam, batch norm, plateau, average": for people.
  std::string describe() const;
  SmallOptions options() const;
};

inline constexpr i64 epochs = 2, stepsPerEpoch = 4;

/// All of {batch norm, dropout, both} x {none, one-cycle, plateau} x {with, without average}.
std::vector<Case> casesOf(const std::string& optimizer);

}  // namespace ember::test
