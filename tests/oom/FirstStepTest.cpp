#include <doctest/doctest.h>

#include <dnnl.h>

#include <ember/core/kernels/onednn/PrimitiveCache.h>

#include "oom/Run.h"

using namespace ember;
using namespace ember::test;

namespace {

// Every n starts from a run that has not made a step: slots, averages, loader and packed weights are yet to be made.
// With `cold`, so are ember's plans and oneDNN's primitives.
void refuseFirstSteps(const std::string& what, const RunOptions& options, bool cold) {
  std::unique_ptr<Run> run;
  const auto prepare = [&] {
    run.reset();
    if (cold) {
      core::onednn::clearCache();
      dnnl_set_primitive_cache_capacity(0);
      dnnl_set_primitive_cache_capacity(1024);
    }
    run = std::make_unique<Run>(options);
  };
  prepare();
  run->step();
  const std::string expected = run->state();
  refuseEach(what, {.prepare = prepare,
                    .call = [&] { run->step(); },
                    .state = [&] { return run->state(); },
                    .expected = [&] { return expected; }});
}

RunOptions fewSamples() {
  RunOptions options;
  options.samples = 8;
  return options;
}

}  // namespace

TEST_CASE("(P12) the first step of a run fails as cleanly as a later one") {
  refuseFirstSteps("first step", fewSamples(), false);
  RunOptions inplace = fewSamples();
  inplace.optimizer = "AdamW";
  inplace.rates = {{"lr", 0.001}, {"amsgrad", true}};
  inplace.inplace = true;
  refuseFirstSteps("first step of AdamW", inplace, false);
}

TEST_CASE("(P12) the first step of a process fails as cleanly as a later one") {
  const OneDnnSpared spared;
  refuseFirstSteps("first step with empty caches", fewSamples(), true);
}
