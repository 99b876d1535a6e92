#include <ember/core/Error.h>
#include <ember/core/Warn.h>
#include <ember/ember.h>

#include "fuzz/MemoryFile.h"
#include "fuzz/RunSample.h"
#include "fuzz/Targets.h"

namespace ember::fuzz {

void Run(std::string_view bytes) {
  // Made anew only when a file was taken: those that are refused leave it as it is.
  static std::unique_ptr<RunSample> run;
  static std::string untouched;
  if (!run) {
    setWarningHandler([](std::string_view) {});
    seed(1);
    run = std::make_unique<RunSample>();
    untouched = stateOf(*run);
  }
  try {
    run->trainer.resume(MemoryFile::of(bytes));
  } catch (const Error&) {
    if (bytes.size() % 4 == 0) require(stateOf(*run) == untouched, "a run that cannot be resumed is as it was");
    return;
  }
  try {
    if (!run->trainer.finished()) run->trainer.step();
  } catch (const NumericError&) {  // weights of a file may be anything
  }
  run.reset();
}

}  // namespace ember::fuzz
