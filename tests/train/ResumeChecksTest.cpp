// What resume() compares beyond the fields of a file.
#include <string>

#include <doctest/doctest.h>
#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/optim/train/ResumeChecks.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("of half a million tensors that belong to no slot, the nearest names of 20 are looked for, not of all") {
  io::Checkpoint file;
  const core::NDArray one = core::NDArray::from<float>({1}, {1});
  for (int i = 0; i < 500'000; ++i) file.tensors.push_back({"optim/momentum/" + std::to_string(i), "optim.m", one});
  nn::Parameters here;  // with each name compared to each this is an hour's work
  for (int i = 0; i < 3000; ++i) here.push_back({"optim/momentun/" + std::to_string(i), Tensor(one), {}});
  const std::string message = messageOf<StateError>([&] { optim::matchingTensors("run.json", here, file); });
  CHECK(contains(message, "503000 tensors of the run do not fit"));
  CHECK(contains(message, "missing  optim/momentun/0"));
  CHECK(contains(message, "missing  optim/momentun/19\n"));  // the 20th, and the last
  CHECK_FALSE(contains(message, "optim/momentun/20\n"));
  CHECK(contains(message, "502980 more"));
  CHECK(message.size() < 3000);
  here.resize(2);
  file.tensors.resize(18);
  const std::string twenty = messageOf<StateError>([&] { optim::matchingTensors("run.json", here, file); });
  CHECK_MESSAGE((contains(twenty, "20 tensors of the run") && !contains(twenty, " more")), twenty);
  file.tensors.resize(3);
  const std::string few = messageOf<StateError>([&] { optim::matchingTensors("run.json", here, file); });
  CHECK_MESSAGE(contains(few, "\"optim/momentum/0\"; did you mean \"optim/momentun/0\"?"), few);
}

TEST_CASE("a writer that says nothing of its machine is not warned of") {
  CHECK_NOTHROW(optim::warnOfOtherMachine("run.json", Value::object()));
}

TEST_CASE("rates of one's own are taken parameter by parameter; those that only the file has keep theirs") {
  const auto parameter = [](double lr) { return Value{{"lr", lr}, {"weight_decay", 0.5}}; };
  const Value here{{"lr", 1.0}, {"options", Value::object()}, {"parameters", Value::array({parameter(0.1)})}};
  const Value saved{
      {"lr", 2.0}, {"options", Value::object()}, {"parameters", Value::array({parameter(0.2), parameter(0.3)})}};
  const Value taken = optim::withRatesOf(here, saved);
  CHECK(taken.at("lr") == Value(1.0));
  REQUIRE(taken.at("parameters").size() == 2);
  CHECK(taken.at("parameters").elements()[0] == parameter(0.1));
  CHECK(taken.at("parameters").elements()[1] == parameter(0.3));
}
