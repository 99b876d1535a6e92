// Files that a run refuses to go on from, and what it says.
#include <doctest/doctest.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"
#include "train/RichRun.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("a file that does not fit is refused with what differs, and nothing is changed") {
  const TempFolder folder;
  const std::string path = folder / "run.json";
  SmallRun saved(rich());
  saved.steps(8);
  saved.trainer->save(path);
  save(folder / "weights.json", saved.net);

  const auto refused = [&](const SmallOptions& options, const std::string& file) {
    const Course untouched = straight(elsewhere(options));
    SmallRun run(elsewhere(options));
    const std::string before = run.state();
    const std::string message = messageOf([&] { run.trainer->resume(file); });
    CHECK(run.state() == before);
    // And it goes on as if nothing had been tried.
    CHECK(run.trainer->run());
    CHECK(run.state() == untouched.state);
    return message;
  };
  const auto expect = [&](const SmallOptions& options, const std::string& part) {
    const std::string message = refused(options, path);
    CHECK_MESSAGE(contains(message, part), message);
  };

  expect(rich("Adam"), "[Adam] ValueError: the saved optimiser does not fit: it is SGD, this one is Adam");
  SmallOptions other = rich();
  other.momentum = 0.5;
  expect(other, "its options are {\"momentum\": 0.9");
  other = rich();
  other.lr = 0.1;
  expect(other, "the lr of \"0.weight\" was 0.05, here 0.1");
  other = rich();
  other.trainer.schedule = optim::schedule::cosine(12);
  expect(other, "the saved schedule is another one");
  other.trainer.schedule = optim::schedule::oneCycle({.steps = 13});
  expect(other, "the saved schedule is another one");
  other = rich();
  other.width = 5;
  expect(other, "\"0.weight\": [4, 1, 3, 3] in the file, [5, 1, 3, 3] in the net");
  expect(rich("SGD", false), "does not fit the net");
  other = rich();
  other.dtype = DType::F64;
  {
    SmallRun run(elsewhere(other));
    const std::string before = run.state();
    CHECK(contains(messageOf([&] { run.trainer->resume(path); }), "\"0.weight\": f32 in the file, f64 in the net"));
    CHECK(run.state() == before);
  }
  other = rich();
  other.trainer.batchSize = 5;
  expect(other, "\"data\" of the saved run differs");
  other = rich();
  other.trainer.shuffle = false;
  expect(other, "\"data\" of the saved run differs");
  other = rich();
  other.trainer.dropLast = true;
  expect(other, "\"data\" of the saved run differs");
  other = rich();
  other.trainer.labelSmoothing = 0;
  expect(other, "\"label_smoothing\" of the saved run differs");
  other = rich();
  other.trainer.clipNorm = 2;
  expect(other, "\"clip_norm\" of the saved run differs");
  other = rich();
  other.trainer.transforms = {data::RandomCrop(2), data::RandomFlip()};
  expect(other, "\"transforms\" of the saved run differs: [0].args.padding is 2 here and 1 there");
  other.trainer.transforms = {data::RandomCrop(1), data::RandomErase()};
  expect(other, "\"transforms\" of the saved run differs: [1].type is \"RandomErase\" here and \"RandomFlip\" there");
  other.trainer.transforms = {};
  expect(other, "\"transforms\" of the saved run differs");
  for (const double decay : {0.0, 0.99}) {
    other = rich();
    other.trainer.emaDecay = decay;
    expect(other, "the saved run averages its weights otherwise");
  }
  // Same tensors, other arguments: the architecture tells.
  const SmallOptions same = rich();
  SmallRun run(elsewhere(same));
  nn::Sequential twin(nn::Conv2D(1, 4, {.kernel = 3, .padding = 1}), nn::BatchNorm2D(4), nn::ReLU(), nn::Dropout(0.4),
                      nn::Flatten(), nn::Linear(64, 3));
  optim::SGD sgd(twin.namedParameters(), {.lr = 0.05, .momentum = 0.9, .weightDecay = 1e-3});
  optim::Trainer trainer(twin, sgd, run.data, same.trainer);
  CHECK(contains(messageOf([&] { trainer.resume(path); }), "was saved from another net"));
}

TEST_CASE("a file of weights alone has no optimiser state (J33)") {
  const TempFolder folder;
  SmallRun run(rich());
  save(folder / "weights.json", run.net);
  const std::string before = run.state();
  const std::string message = messageOf([&] { run.trainer->resume(folder / "weights.json"); });
  CHECK(contains(message, "[resume] StateError: the file holds a net but no run: it has no optimiser state"));
  CHECK(contains(message, "weights.json"));
  CHECK(contains(message, "load() takes the net's values from it"));
  CHECK(run.state() == before);
}

TEST_CASE("a missing or damaged file is an IoError, and nothing is changed") {
  const TempFolder folder;
  saveThreeSteps(folder / "run.json");
  const std::string text = readFile(folder / "run.json");
  SmallRun run(elsewhere(rich()));
  const std::string before = run.state();
  CHECK(contains(messageOf([&] { run.trainer->resume(folder / "none.json"); }), "No such file"));
  CHECK_THROWS_AS(run.trainer->resume(folder / "none.json"), IoError);
  for (const double share : {0.0, 0.1, 0.5, 0.9, 0.999}) {
    writeFile(folder / "cut.json", text.substr(0, static_cast<std::size_t>(share * static_cast<double>(text.size()))));
    CHECK_THROWS_AS(run.trainer->resume(folder / "cut.json"), IoError);
  }
  CHECK(run.state() == before);
}
