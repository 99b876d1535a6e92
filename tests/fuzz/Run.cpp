#include <ember/core/Error.h>
#include <ember/core/Warn.h>
#include <ember/ember.h>

#include "fuzz/MemoryFile.h"
#include "fuzz/RunSample.h"
#include "fuzz/Targets.h"

namespace ember::fuzz {

void Run(std::string_view bytes) {
  static const bool quiet = [] {
    setWarningHandler([](std::string_view) {});
    return true;
  }();
  static_cast<void>(quiet);
  test::SmallRun run(fuzzedRun());
  const std::string before = run.state();
  try {
    run.trainer->resume(MemoryFile::of(bytes));
  } catch (const Error&) {
    require(run.state() == before, "a run that cannot be resumed is as it was");
    return;
  }
  try {
    if (!run.trainer->finished()) run.trainer->step();
  } catch (const NumericError&) {  // weights of a file may be anything
  }
}

}  // namespace ember::fuzz
