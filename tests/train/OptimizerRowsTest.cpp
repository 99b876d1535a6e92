// What a run's file says of its optimiser and does not fit is refused at the load, not at the next step (J21, J24).
#include <doctest/doctest.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/Untouched.h"
#include "train/RichRun.h"

using namespace ember;
using namespace ember::test;

namespace {

/// What resume() says to the file of a run after `how`; anything that throws an Error leaves the run as it was.
std::string resumed(const std::function<void(io::Checkpoint&)>& how, const SmallOptions& options = rich()) {
  const TempFolder folder;
  saveThreeSteps(folder / "run.json");
  io::Checkpoint file = io::readCheckpoint(folder / "run.json");
  how(file);
  io::writeCheckpoint(folder / "run.json", file);
  SmallRun run(elsewhere(options));
  const std::string before = run.state() + contentOf(folder);
  std::string message = messageOf<Error>([&] { run.trainer->resume(folder / "run.json"); });
  if (run.state() + contentOf(folder) != before) message = "SOMETHING CHANGED, " + message;
  return message;
}

io::CheckpointTensor& slot(io::Checkpoint& file, const std::string& end) {
  for (io::CheckpointTensor& tensor : file.tensors) {
    if (tensor.name.starts_with("optim/") && tensor.name.ends_with(end)) return tensor;
  }
  FAIL("no slot " << end);
  return file.tensors[0];
}

}  // namespace

TEST_CASE("a moment of another shape or type is refused at the load (J24)") {
  std::string message = resumed([](io::Checkpoint& f) { slot(f, "0.weight").array = core::NDArray::zeros({2, 2}); });
  CHECK_MESSAGE(contains(message, "optim/momentum/0.weight"), message);
  CHECK(contains(message, "[2, 2]"));
  CHECK_FALSE(contains(message, "SOMETHING CHANGED"));
  message = resumed([](io::Checkpoint& f) { slot(f, "0.weight").array = slot(f, "0.weight").array.to(DType::F64); });
  CHECK_MESSAGE(contains(message, "f64"), message);
  CHECK_FALSE(contains(message, "SOMETHING CHANGED"));
}

TEST_CASE("a moment that is missing or has another name is listed with the nearest (J21)") {
  const std::string message = resumed([](io::Checkpoint& f) { slot(f, "0.weight").name = "optim/momentum/0.wieght"; });
  CHECK_MESSAGE(contains(message, "optim/momentum/0.weight"), message);
  CHECK(contains(message, "optim/momentum/0.wieght"));
  CHECK(contains(message, "did you mean"));
  CHECK_FALSE(contains(message, "SOMETHING CHANGED"));
}

TEST_CASE("another kind, other groups and another number of parameters are refused at the load (J24)") {
  CHECK(contains(resumed([](io::Checkpoint&) {}, rich("Adam")), "it is SGD, this one is Adam"));
  std::string message = resumed([](io::Checkpoint& f) {
    Value::Elements list = f.optimizer.at("parameters").elements();
    list.pop_back();
    f.optimizer.set("parameters", Value(list));
  });
  CHECK_MESSAGE(contains(message, "parameters, here are"), message);
  CHECK_FALSE(contains(message, "SOMETHING CHANGED"));
  message = resumed([](io::Checkpoint& f) {  // as if a group had had its own rate
    Value::Elements list = f.optimizer.at("parameters").elements();
    list.back().set("lr", 0.5);
    f.optimizer.set("parameters", Value(list));
  });
  CHECK_MESSAGE(contains(message, "was 0.5, here"), message);
  CHECK_FALSE(contains(message, "SOMETHING CHANGED"));
}
