#include <doctest/doctest.h>

#include "oom/Run.h"

using namespace ember;
using namespace ember::test;

namespace {

// Two runs side by side: one whose steps fail and are done again, one whose steps never fail.
void refuseSteps(const std::string& what, const RunOptions& options) {
  Run run(options), reference(options);
  for (int i = 0; i < 3; ++i) {
    run.step();
    reference.step();
  }
  REQUIRE(run.state() == reference.state());
  refuseEach(what, {.call = [&] { run.step(); },
                    .state = [&] { return run.state(); },
                    .expected =
                        [&] {
                          reference.step();
                          return reference.state();
                        }});
}

}  // namespace

TEST_CASE("(P12) a step in which an allocation fails changes nothing, whichever it is: SGD with momentum") {
  refuseSteps("step of SGD", {});
}

TEST_CASE("(P12) a step in which an allocation fails changes nothing, whichever it is: Adam, batch norms in place") {
  refuseSteps("step of Adam", {.optimizer = "Adam", .rates = {{"lr", 0.001}}, .inplace = true});
}

TEST_CASE("(P12) a step of several batches in which an allocation fails changes nothing, whichever it is") {
  RunOptions options;
  options.training.accumulate = 2;
  options.samples = 40'000;
  refuseSteps("step of two batches", options);
}

TEST_CASE("(P12) the only step of an epoch, which opens and closes it, changes nothing where an allocation fails") {
  RunOptions options;
  options.samples = 4;
  options.training.epochs = 100'000;
  refuseSteps("step of an epoch", options);
}
