#pragma once
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <ember/ember.h>

#include "support/Warnings.h"
#include "train/SmallRun.h"

/// A run that carries everything a run can, and what is to be seen of it from outside.
namespace ember::test {

inline constexpr i64 batches = 6;  // 22 samples in batches of 4, an epoch

/// Everything that a run can carry: shuffle, augmentation, a schedule, clipping, an average.
inline SmallOptions rich(const std::string& optimizer = "SGD", bool batchNorm = true, bool dropout = true,
                         bool prefetch = false) {
  return {.batchNorm = batchNorm,
          .dropout = dropout,
          .optimizer = optimizer,
          .trainer = {.epochs = 2,
                      .batchSize = 4,
                      .seed = 11,
                      .prefetch = prefetch,
                      .schedule = optim::schedule::oneCycle({.steps = 2 * batches}),
                      .labelSmoothing = 0.1,
                      .clipNorm = 1,
                      .emaDecay = 0.9,
                      .transforms = {data::RandomCrop(1), data::RandomFlip()}}};
}

/// The same run, begun elsewhere: other first values, another seed.
inline SmallOptions elsewhere(SmallOptions options) {
  options.initSeed = 4711;
  options.trainer.seed = 815;
  return options;
}

struct Course {
  std::vector<double> losses, accuracies;
  std::string state;
  double testLoss = 0;
};

inline void watch(SmallRun& run, Course& course) {
  run.trainer->afterStep([&](const optim::StepInfo& info) {
    course.losses.push_back(info.loss);
    course.losses.push_back(info.meanLoss);
    course.accuracies.push_back(info.accuracy);
  });
  run.trainer->afterEpoch([&](const optim::EpochInfo& info) { course.losses.push_back(info.meanLoss); });
}

inline void finish(SmallRun& run, Course& course) {
  CHECK(run.trainer->run());
  course.state = run.state();
  course.testLoss = run.trainer->evaluate(run.data).loss;
}

inline Course straight(const SmallOptions& options) {
  Course course;
  SmallRun run(options);
  watch(run, course);
  finish(run, course);
  return course;
}

/// A rich run after three of its steps, in a file.
inline void saveThreeSteps(const std::string& path) {
  SmallRun run(rich());
  run.steps(3);
  run.trainer->save(path);
}

inline void checkSame(const Course& a, const Course& b) {
  CHECK(a.losses == b.losses);
  CHECK(a.accuracies == b.accuracies);
  CHECK(a.state == b.state);
  CHECK(a.testLoss == b.testLoss);
}

/// `object` without one of its members, which must be there.
inline Value without(const Value& object, const std::string& key) {
  Value rest = Value::object();
  for (const auto& [name, value] : object.members()) {
    if (name != key) rest.set(name, value);
  }
  REQUIRE(rest.size() + 1 == object.size());
  return rest;
}

}  // namespace ember::test
