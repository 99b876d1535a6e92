#pragma once
#include <string>

#include "resume/Case.h"

namespace ember::test {

/// A training program of its own: goes on with the run in `folder` (run.json and its generation before, loss.log,
/// best.json), or begins it. `kill` says where it ends itself by SIGKILL: "s3" behind the third step and its save, "e1"
/// behind the first epoch and its save; empty: nowhere. Returns the exit code.
int train(const std::string& folder, const Case& kind, const std::string& kill);

}  // namespace ember::test
