// A resumed run is the run that was never stopped.
#include <memory>

#include <doctest/doctest.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/RichRun.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("a resumed run is the run that was never stopped, bit for bit") {
  const TempFolder folder;
  for (const char* optimizer : {"SGD", "Adam"}) {
    for (const auto& layers : {std::pair(true, false), std::pair(false, true), std::pair(true, true)}) {
      const bool batchNorm = layers.first, dropout = layers.second;
      const SmallOptions options = rich(optimizer, batchNorm, dropout);
      const Course expected = straight(options);
      CHECK(expected.losses.size() == 2 * 2 * batches + 2);
      for (const i64 k : {i64{1}, batches - 1, batches, batches + 2, 2 * batches - 1}) {
        CAPTURE(optimizer);
        CAPTURE(batchNorm);
        CAPTURE(dropout);
        CAPTURE(k);
        Course course;
        {
          SmallRun first(options);
          watch(first, course);
          first.steps(k);
          first.trainer->save(folder / "run.json");
        }
        SmallRun second(elsewhere(options));
        second.steps(3);  // it has been elsewhere, too
        watch(second, course);
        second.trainer->resume(folder / "run.json");
        CHECK(second.trainer->epoch() * batches + second.trainer->batch() == k);
        finish(second, course);
        checkSame(course, expected);
      }
    }
  }
}

TEST_CASE("prefetch on, off, or changed at the resume makes no difference") {
  const TempFolder folder;
  const Course expected = straight(rich("SGD", true, true, false));
  checkSame(straight(rich("SGD", true, true, true)), expected);
  for (const auto& [before, behind] : {std::pair(true, true), std::pair(true, false), std::pair(false, true)}) {
    for (const i64 k : {i64{2}, batches, batches + 4}) {
      Course course;
      SmallRun first(rich("SGD", true, true, before));
      watch(first, course);
      first.steps(k);
      first.trainer->save(folder / "run.json");
      SmallRun second(elsewhere(rich("SGD", true, true, behind)));
      watch(second, course);
      second.trainer->resume(folder / "run.json");
      finish(second, course);
      checkSame(course, expected);
    }
  }
}

TEST_CASE("saving disturbs nothing, and a run may be resumed several times in one epoch") {
  const TempFolder folder;
  const SmallOptions options = rich("Adam", true, true, true);
  const Course expected = straight(options);
  Course course;
  std::unique_ptr<SmallRun> run = std::make_unique<SmallRun>(options);
  watch(*run, course);
  run->steps(2);
  run->trainer->save(folder / "a.json");
  run->steps(2);  // thrown away below
  course.losses.resize(4);
  course.accuracies.resize(2);
  run = std::make_unique<SmallRun>(elsewhere(options));
  watch(*run, course);
  run->trainer->resume(folder / "a.json");
  run->trainer->save(folder / "b.json");
  CHECK(readFile(folder / "a.json") == readFile(folder / "b.json"));  // a resumed run saves what it was resumed from
  run->steps(1);
  run->trainer->save(folder / "a.json");
  run = std::make_unique<SmallRun>(elsewhere(options));
  watch(*run, course);
  run->trainer->resume(folder / "a.json");
  finish(*run, course);
  checkSame(course, expected);
}

TEST_CASE("one trainer may go back to a file again and again") {
  const TempFolder folder;
  const SmallOptions options = rich();
  const Course expected = straight(options);
  SmallRun run(options);
  run.steps(batches + 1);
  run.trainer->save(folder / "run.json");
  for (int i = 0; i < 2; ++i) {
    CHECK(run.trainer->run());
    CHECK(run.state() == expected.state);
    run.trainer->resume(folder / "run.json");
    CHECK(!run.trainer->finished());
  }
}

TEST_CASE("a hook that saves behind the last step of an epoch saves a run that has its epoch to close") {
  const TempFolder folder;
  const SmallOptions options = rich();
  const Course expected = straight(options);
  for (const i64 k : {batches, 2 * batches}) {
    Course course;
    {
      SmallRun first(options);
      watch(first, course);
      first.trainer->afterStep([&](const optim::StepInfo& info) {
        if (info.step == k) first.trainer->save(folder / "run.json");
      });
      first.steps(k);
    }
    // The epoch's own report was made after the save; it will be made again.
    CHECK(course.losses.size() == static_cast<std::size_t>(2 * k + k / batches));
    course.losses.pop_back();
    SmallRun second(elsewhere(options));
    watch(second, course);
    std::vector<i64> begun;
    second.trainer->beforeEpoch([&](i64 epoch) { begun.push_back(epoch); });
    second.trainer->resume(folder / "run.json");
    CHECK(second.trainer->batch() == batches);
    CHECK(!second.trainer->finished());
    finish(second, course);
    checkSame(course, expected);
    CHECK(begun == (k == batches ? std::vector<i64>{1} : std::vector<i64>{}));
  }
}

TEST_CASE("a finished run resumes as finished, and trains on with more epochs") {
  const TempFolder folder;
  SmallOptions options = rich();
  options.trainer.schedule = {};
  SmallRun first(options);
  first.trainer->run();
  first.trainer->save(folder / "run.json");
  const double loss = first.trainer->evaluate(first.data).loss;

  SmallRun second(elsewhere(options));
  second.trainer->resume(folder / "run.json");
  CHECK(second.trainer->finished());
  CHECK(second.trainer->run());
  CHECK(second.optimizer->steps() == 2 * batches);
  CHECK_THROWS_AS(second.trainer->step(), StateError);
  CHECK(second.trainer->evaluate(second.data).loss == loss);

  options.trainer.epochs = 3;
  const Course expected = straight(options);
  SmallRun third(elsewhere(options));
  third.trainer->resume(folder / "run.json");
  CHECK(third.trainer->run());
  CHECK(third.state() == expected.state);
}

TEST_CASE("a run in f64 and one with frozen layers come back as they were") {
  const TempFolder folder;
  SmallOptions options = rich("Adam");
  options.dtype = DType::F64;
  const data::TensorDataset data(draw("double", {12, 1, 4, 4}), integers("double labels", {12}, 3));
  const auto trainerOf = [&](SmallRun& run, u64 seedValue) {
    return std::make_unique<optim::Trainer>(run.net, *run.optimizer, data,
                                            optim::TrainerOptions{.epochs = 2, .batchSize = 4, .seed = seedValue});
  };
  SmallRun whole(options), first(options), second(elsewhere(options));
  for (SmallRun* run : {&whole, &first}) {
    run->net.freeze("0.*");
    run->trainer = trainerOf(*run, 5);
  }
  second.trainer = trainerOf(second, 6);
  seed(5);
  whole.trainer->run();
  const std::string expected = whole.state();
  first.steps(4);
  first.trainer->save(folder / "run.json");
  second.trainer->resume(folder / "run.json");
  CHECK(!second.net.namedParameters()[0].tensor.requiresGrad());
  second.trainer->run();
  CHECK(second.state() == expected);
}

TEST_CASE("the net of a run is an ordinary net: it loads, and is rebuilt") {
  const TempFolder folder;
  SmallRun run(rich());
  run.steps(5);
  run.trainer->save(folder / "run.json");
  SmallRun other(elsewhere(rich()));
  CHECK(load(folder / "run.json", other.net).left.empty());
  const auto again = nn::load(folder / "run.json");
  const nn::Parameters expected = run.net.namedParameters(), loaded = other.net.namedParameters(),
                       rebuilt = again->namedParameters();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(sameBits(expected[i].tensor, loaded[i].tensor));
    CHECK(sameBits(expected[i].tensor, rebuilt[i].tensor));
  }
}
