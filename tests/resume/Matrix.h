#pragma once
#include <vector>

#include "resume/Case.h"

namespace ember::test {

/// Kills a run of each case behind every step, at the end of each epoch, and several times in one epoch, lets a new
/// process go on each time, and compares what it ends with. Prints a line a case. Returns how many comparisons failed.
int killEverywhere(const std::vector<Case>& cases);

/// Kills a run from outside at `rounds` moments drawn by a fixed seed, most of them during a save, and lets new
/// processes go on; whatever the moment, the run must end as if nothing had been. Returns how many comparisons failed.
int killAnytime(const Case& kind, int rounds);

}  // namespace ember::test
