#include <doctest/doctest.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/nn/data/Loader.h>

#include "oom/FailingAllocator.h"
#include "oom/Run.h"

using namespace ember;
using namespace ember::test;

namespace {

// Which thread makes the n-th allocation is no longer the same each time, and what the loader's thread could not get is
// told with the batch that it concerns, perhaps a step later. Every step still changes nothing or all.
void refuseSteps(const char* what, Refuse how, const RunOptions& options) {
  // No thread of the reference may be at work while an allocation of the run's step is made to fail: it could be the one
  // that gets the failure.
  RunOptions alone = options;
  alone.training.prefetch = false;
  Run run(options), reference(alone);
  const i64 every = refuseEvery();
  i64 refused = 0, whole = 0;
  for (i64 n = 1; whole < 5; n += every) {
    reference.step();
    const std::string before = run.state(), after = reference.state();
    const Outcome outcome = failing(n, how, [&] { run.step(); });
    whole = outcome.refused ? 0 : whole + 1;
    refused += outcome.refused ? 1 : 0;
    CAPTURE(n);
    CAPTURE(outcome.message);
    REQUIRE(outcome.kind != "other");
    bool done = !outcome.threw;
    for (int attempt = 0; attempt < 3 && !done; ++attempt) {
      REQUIRE(run.state() == before);
      const Outcome again = failing(0, how, [&] { run.step(); });
      REQUIRE(again.kind != "other");
      done = !again.threw;
    }
    REQUIRE(done);
    REQUIRE(run.state() == after);
  }
  CHECK(refused * every > 100);
  std::printf("%s, %s: allocations failed: %lld, all refused cleanly\n", what,
              how == Refuse::Once ? "once" : "and all after", static_cast<long long>(refused));
}

/// The other tests of this program have one (Run.cpp).
struct TwoThreads {
  TwoThreads() { setThreads(2); }
  ~TwoThreads() { setThreads(1); }
};

RunOptions large() {
  RunOptions options;
  options.training.epochs = 1000;
  options.training.batchSize = 256;  // enough for two threads
  options.training.prefetch = true;
  return options;
}

}  // namespace

TEST_CASE("(P12) with two threads and a loader that works ahead a step in which an allocation fails changes nothing") {
  const TwoThreads two;
  const OneDnnSpared spared;
  refuseSteps("step on two threads", Refuse::Once, large());
  refuseSteps("step on two threads", Refuse::AllAfter, large());
}

TEST_CASE("(P12) what a thread of the pool cannot get is an exception of the caller's") {
  const TwoThreads two;
  for (i64 n = 1; n <= 2; ++n) {
    std::vector<std::unique_ptr<int>> made(2);
    const Outcome outcome = failing(n, Refuse::Once, [&] {
      core::parallelParts(
          1 << 20, 1, [&](i64, i64, int part) { made[static_cast<std::size_t>(part)] = std::make_unique<int>(part); });
    });
    CHECK(outcome.kind == "bad_alloc");
  }
  // Of several exceptions the first part's.
  const auto throwing = [] {
    core::parallelParts(2, 1, [](i64, i64, int part) { throw std::runtime_error(std::to_string(part)); });
  };
  CHECK_THROWS_WITH_AS(throwing(), "0", std::runtime_error);
}

TEST_CASE("(P12) a loader whose thread runs out of memory says so, and another loop gets every batch") {
  const TwoThreads two;
  const data::TensorDataset data = smallData(12);
  const data::Loader loader(data, {.batchSize = 4});
  i64 batches = 0;
  const auto walk = [&] {
    batches = 0;
    for (const data::Batch& batch : loader) batches += batch.images.size(0) == 4 ? 1 : 0;
  };
  walk();
  for (const Refuse how : {Refuse::Once, Refuse::AllAfter}) {
    for (i64 n = 1;; ++n) {
      const Outcome outcome = failing(n, how, walk);
      CHECK(outcome.threw == outcome.refused);
      CHECK(outcome.kind != "other");
      walk();
      CHECK(batches == 3);
      if (!outcome.refused) break;
    }
  }
}
