#pragma once
#include "Contest.h"

namespace bench {

/// Prints ember's time per training step against batch, depth, width and threads, and where it grows faster than the
/// work. False if ember cannot be run.
bool printCurves(const Plan& plan, Progress& progress);

}  // namespace bench
