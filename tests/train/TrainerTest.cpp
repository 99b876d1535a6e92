#include <cmath>
#include <limits>
#include <thread>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Headline.h"
#include "train/SmallRun.h"

using namespace ember;
using namespace ember::test;

namespace {

constexpr double noNumber = std::numeric_limits<double>::quiet_NaN();

/// Pictures of which one makes get() throw while `broken` is set.
struct Fragile : data::Dataset {
  i64 size() const override { return 12; }
  data::Sample get(i64 i) const override {
    if (broken && i == 5) throw IoError("Fragile", "the disk is gone");
    return {Tensor::full({1, 4, 4}, 0.1 * static_cast<double>(i)), i % 3};
  }
  bool broken = true;
};

}  // namespace

TEST_CASE("a run trains: the loss falls and the accuracy rises") {
  SmallRun run({.dropout = true, .trainer = {.epochs = 40, .batchSize = 4, .seed = 1}});
  const optim::Evaluation before = run.trainer->evaluate(run.data);
  std::vector<double> means;
  run.trainer->afterEpoch([&](const optim::EpochInfo& info) { means.push_back(info.meanLoss); });
  CHECK(run.trainer->run());
  const optim::Evaluation after = run.trainer->evaluate(run.data);
  CHECK(means.size() == 40);
  CHECK(means.back() < 0.5 * means.front());
  CHECK(after.loss < 0.5 * before.loss);
  CHECK(after.accuracy > 0.9);
}

TEST_CASE("a step is what one would write by hand") {
  SmallRun run(
      {.dropout = true,
       .trainer = {.epochs = 2, .batchSize = 4, .seed = 11, .schedule = optim::schedule::cosine(12), .clipNorm = 0.5}});
  SmallRun hand({.dropout = true});
  const std::vector<double> losses = run.steps(6);
  seed(11);
  std::vector<double> expected;
  for (const auto& [images, labels] :
       data::Loader(hand.data, {.batchSize = 4, .shuffle = true, .seed = 11, .epoch = 0})) {
    const Tensor loss = nn::crossEntropy(hand.net(images), labels);
    expected.push_back(loss.item());
    hand.optimizer->zeroGrad();
    loss.backward();
    optim::clipGradNorm(hand.net.namedParameters(), 0.5);
    hand.optimizer->setLrFactor(optim::schedule::cosine(12).factor(hand.optimizer->steps()));
    hand.optimizer->step();
  }
  CHECK(losses == expected);
  const nn::Parameters a = run.net.namedParameters(), b = hand.net.namedParameters();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(sameBits(a[i].tensor, b[i].tensor));
}

TEST_CASE("a run is a function of its seed") {
  const auto losses = [](u64 seedValue, bool prefetch) {
    return SmallRun(
               {.dropout = true, .trainer = {.epochs = 2, .batchSize = 4, .seed = seedValue, .prefetch = prefetch}})
        .steps(12);
  };
  CHECK(losses(11, true) == losses(11, false));
  CHECK(losses(11, true) != losses(12, true));
}

TEST_CASE("two runs in one program do not disturb each other") {
  const auto options = [](u64 seedValue) {
    return SmallOptions{.dropout = true, .trainer = {.epochs = 2, .batchSize = 4, .seed = seedValue}};
  };
  const std::vector<double> first = SmallRun(options(11)).steps(12), second = SmallRun(options(12)).steps(12);
  SmallRun a(options(11)), b(options(12));
  seed(99);
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(a.trainer->step().loss == first[i]);
    CHECK(b.trainer->step().loss == second[i]);
  }
  CHECK(currentSeed() == 99);
}

TEST_CASE("the reports of a step and an epoch say what happened") {
  SmallRun run({});  // 22 samples in batches of 4: 6 batches, the last of 2
  const optim::Trainer& trainer = *run.trainer;
  CHECK(trainer.batchesPerEpoch() == 6);
  CHECK(trainer.totalSteps() == 12);
  std::vector<optim::StepInfo> infos;
  std::vector<optim::EpochInfo> epochs;
  run.trainer->afterStep([&](const optim::StepInfo& info) { infos.push_back(info); });
  run.trainer->afterEpoch([&](const optim::EpochInfo& info) { epochs.push_back(info); });
  run.steps(8);
  REQUIRE(infos.size() == 8);
  REQUIRE(epochs.size() == 1);
  double sum = 0;
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(infos[i].epoch == 0);
    CHECK(infos[i].batch == static_cast<i64>(i));
    CHECK(infos[i].batches == 6);
    CHECK(infos[i].step == static_cast<i64>(i) + 1);
    CHECK(infos[i].samples == (i < 5 ? 4 : 2));
    CHECK(infos[i].lr == 0.05);
    sum += infos[i].loss * static_cast<double>(infos[i].samples);
  }
  CHECK(epochs[0].meanLoss == doctest::Approx(sum / 22).epsilon(1e-14));
  CHECK(epochs[0].accuracy == infos[5].accuracy);
  CHECK(std::abs(epochs[0].accuracy * 22 - std::round(epochs[0].accuracy * 22)) < 1e-9);
  CHECK(epochs[0].epoch == 0);
  CHECK(epochs[0].epochs == 2);
  CHECK(infos[6].epoch == 1);
  CHECK(infos[6].meanLoss == infos[6].loss);
  CHECK(trainer.epoch() == 1);
  CHECK(trainer.batch() == 2);
}

TEST_CASE("hooks run in their order around steps and epochs, and see the position behind the step") {
  SmallRun run({.trainer = {.epochs = 2, .batchSize = 11, .seed = 1}});
  std::string log;
  optim::Trainer& t = *run.trainer;
  const auto position = [&] { return std::to_string(t.epoch()) + "." + std::to_string(t.batch()) + " "; };
  t.beforeEpoch([&](i64 epoch) { log += "E" + std::to_string(epoch) + "@" + position(); });
  t.beforeStep([&] { log += "s@" + position(); });
  t.beforeStep([&] { log += "t "; });
  t.afterStep([&](const optim::StepInfo&) { log += "a@" + position(); });
  t.afterStep([&](const optim::StepInfo&) { log += "b "; });
  t.afterEpoch([&](const optim::EpochInfo&) { log += "e@" + position(); });
  CHECK(t.run());
  CHECK(log ==
        "E0@0.0 s@0.0 t a@0.1 b s@0.1 t a@0.2 b e@1.0 "
        "E1@1.0 s@1.0 t a@1.1 b s@1.1 t a@1.2 b e@2.0 ");
  CHECK(t.finished());
  CHECK(headlineOf<StateError>([&] { t.step(); }) == "[Trainer.step] StateError: all 2 epochs are done");
  CHECK(t.run());
}

TEST_CASE("stop ends the run behind the present step, and run goes on from there") {
  SmallRun straight({.dropout = true}), stopped({.dropout = true});
  straight.trainer->run();
  const std::string expected = straight.state();
  seed(11);
  int steps = 0;
  stopped.trainer->afterStep([&](const optim::StepInfo&) {
    if (++steps == 4) stopped.trainer->stop();
  });
  CHECK(!stopped.trainer->run());
  CHECK(steps == 4);
  CHECK(stopped.trainer->batch() == 4);
  CHECK(stopped.trainer->run());
  CHECK(steps == 12);
  CHECK(stopped.state() == expected);
}

TEST_CASE("stop from another thread is heard") {
  SmallRun run({.trainer = {.epochs = 1'000'000, .batchSize = 4, .seed = 1}});
  std::thread other;
  run.trainer->afterStep([&](const optim::StepInfo& info) {
    if (info.step == 3) other = std::thread([&] { run.trainer->stop(); });
  });
  CHECK(!run.trainer->run());
  other.join();
  CHECK(run.optimizer->steps() >= 3);
}

TEST_CASE("a loss that is not finite stops before the step, names it, and changes nothing (T22)") {
  for (const double bad : {noNumber, std::numeric_limits<double>::infinity()}) {
    SmallRun run({.dropout = true,
                  .trainer = {.epochs = 2,
                              .batchSize = 4,
                              .seed = 11,
                              .emaDecay = 0.9,
                              .loss = [&](const Tensor& output, const Tensor& labels) {
                                return crossEntropy(output, labels) * (run.optimizer->steps() == 8 ? bad : 1.0);
                              }}});
    run.steps(8);
    const std::string before = run.state();
    const std::string message = messageOf([&] { run.trainer->step(); });
    CHECK(contains(message, std::string("[Trainer.step] NumericError: the loss is ") +
                                (std::isnan(bad) ? "NaN" : "infinite") + " at epoch 1, batch 2"));
    CHECK(contains(message, "tensor  loss"));
    CHECK(run.state() == before);
  }
}

TEST_CASE("a gradient that is not finite stops before the step, names its parameter, and changes nothing (T22)") {
  for (const double clipNorm : {0.0, 1.0}) {
    SmallRun run(
        {.dropout = true, .trainer = {.epochs = 2, .batchSize = 4, .seed = 11, .clipNorm = clipNorm, .emaDecay = 0.9}});
    bool broken = false;
    const Tensor weight = run.net.namedParameters().at(4).tensor;
    REQUIRE(run.net.namedParameters().at(4).name == "5.weight");
    weight.registerHook([&](const Tensor& gradient) { return broken ? gradient * noNumber : Tensor(); });
    run.steps(8);
    const std::string before = run.state();
    broken = true;
    const std::string message = messageOf([&] { run.trainer->step(); });
    CHECK(contains(message, "[Trainer.step] NumericError: a gradient is not finite at epoch 1, batch 2"));
    CHECK(contains(message, "the gradient of \"5.weight\" has NaN or infinity"));
    CHECK(run.state() == before);
    // The same step again, with the cause removed, is the step that would have been.
    broken = false;
    SmallRun other(
        {.dropout = true, .trainer = {.epochs = 2, .batchSize = 4, .seed = 11, .clipNorm = clipNorm, .emaDecay = 0.9}});
    const std::vector<double> expected = other.steps(12);
    seed(11);
    CHECK(run.steps(4) == std::vector<double>(expected.begin() + 8, expected.end()));
  }
}

TEST_CASE("NaN and infinity in the data are told with the layer that met them and reach no running statistic (T19)") {
  const std::pair<double, const char*> bad[] = {{noNumber, "NaN"}, {std::numeric_limits<double>::infinity(), "infinity"}};
  for (const auto& [value, kind] : bad) {
    const Tensor images = Tensor::full({8, 1, 4, 4}, value);
    const data::TensorDataset data(images, Tensor::zeros({8}, DType::I64));
    SmallRun run({});
    optim::Trainer trainer(run.net, *run.optimizer, data, {.batchSize = 4});
    const std::string before = run.state();
    const std::string message = messageOf([&] { trainer.step(); });
    CHECK(contains(message, "[Trainer.step] NumericError: the loss is NaN at epoch 0, batch 0"));
    const std::string first = "[conv2d] NumericError: operand 0 was already non-finite: " + std::string(kind);
    CHECK_MESSAGE(contains(message, first + " came in with the data"), message);
    CHECK_MESSAGE(contains(message, "in      0 (Conv2D 1 -> 4, 3x3"), message);
    CHECK(run.state() == before);
    CHECK(trainer.batch() == 0);
  }
}

TEST_CASE("data whose variance no f32 holds stop the run, and the running statistics stay (T20)") {
  SmallRun run({});
  const data::TensorDataset data(Tensor::normal({8, 1, 4, 4}) * 1e25, Tensor::zeros({8}, DType::I64));
  optim::Trainer trainer(run.net, *run.optimizer, data, {.batchSize = 4});
  const std::string before = run.state();
  CHECK(headlineOf<NumericError>([&] { trainer.step(); }) ==
        "[Trainer.step] NumericError: the buffer \"1.running_var\" is not finite at epoch 0, batch 0");
  CHECK(run.state() == before);
}

TEST_CASE("a forward or a loss that throws leaves the run where it was") {
  int calls = 0;
  SmallRun run(
      {.trainer = {.epochs = 2, .batchSize = 4, .seed = 11, .loss = [&](const Tensor& output, const Tensor& labels) {
                     if (++calls == 3) throw ValueError("mine", "not today");
                     return crossEntropy(output, labels);
                   }}});
  std::vector<double> losses = run.steps(2);
  CHECK_THROWS_AS(run.trainer->step(), ValueError);
  for (const double loss : run.steps(10)) losses.push_back(loss);
  SmallRun straight({});
  CHECK(losses == straight.steps(12));
}

TEST_CASE("what the data set throws comes at its batch, and the run goes on once the cause is gone") {
  for (const bool prefetch : {false, true}) {
    Fragile data;
    seed(1);
    nn::Sequential net(nn::Flatten(), nn::Linear(16, 3));
    optim::SGD sgd(net.namedParameters());
    optim::Trainer trainer(net, sgd, data, {.batchSize = 2, .seed = 1, .shuffle = false, .prefetch = prefetch});
    int hooks = 0;
    trainer.afterStep([&](const optim::StepInfo&) { ++hooks; });
    trainer.step();
    trainer.step();
    CHECK(hooks == 2);
    for (int i = 0; i < 2; ++i) {
      CHECK_THROWS_AS(trainer.step(), IoError);
      CHECK(trainer.batch() == 2);
      CHECK(sgd.steps() == 2);
    }
    data.broken = false;
    CHECK(trainer.run());
    CHECK(sgd.steps() == 6);
    CHECK(hooks == 6);
  }
}

TEST_CASE("a hook that throws stops the run behind its step, and nothing is lost") {
  SmallRun run({.trainer = {.epochs = 2, .batchSize = 4, .seed = 11}});
  int epochs = 0;
  run.trainer->afterStep([&](const optim::StepInfo& info) {
    if (info.step == 6) throw ValueError("mine", "the last step of an epoch");
  });
  run.trainer->afterEpoch([&](const optim::EpochInfo&) { ++epochs; });
  CHECK_THROWS_AS(run.trainer->run(), ValueError);
  CHECK(run.optimizer->steps() == 6);
  CHECK(epochs == 0);
  CHECK(run.trainer->run());
  CHECK(run.optimizer->steps() == 12);
  CHECK(epochs == 2);
}

TEST_CASE("the schedule sets the rate of each step") {
  SmallRun run(
      {.trainer = {.epochs = 2, .batchSize = 4, .seed = 1, .schedule = optim::schedule::oneCycle({.steps = 12})}});
  const std::vector<double> curve = optim::schedule::oneCycle({.steps = 12}).curve(12);
  std::vector<double> rates;
  run.trainer->afterStep([&](const optim::StepInfo& info) { rates.push_back(info.lr); });
  run.trainer->run();
  for (std::size_t i = 0; i < 12; ++i) CHECK(rates[i] == 0.05 * curve[i]);
}

TEST_CASE("evaluation uses the averages, and restores values and every module's mode") {
  SmallRun run({.dropout = true, .trainer = {.epochs = 2, .batchSize = 4, .seed = 1, .emaDecay = 0.5}});
  run.steps(7);
  run.net.child("1").eval();
  const std::string before = run.state();
  const optim::Evaluation averaged = run.trainer->evaluate(run.data);
  CHECK(run.state() == before);
  CHECK(!run.net.child("1").training());
  CHECK(run.net.training());
  CHECK(run.net.child("3").training());
  CHECK(averaged.loss != optim::evaluate(run.net, run.data).loss);
  run.trainer->ema()->swap();
  CHECK(averaged.loss == optim::evaluate(run.net, run.data).loss);
}

TEST_CASE("losses of one's own train what is no classification") {
  const Tensor x = draw("regression", {16, 3}).to(DType::F32);
  const data::TensorDataset data(x, x.sum({1}, true).detach());
  seed(1);
  nn::Linear net(3, 1);
  optim::SGD sgd(net.namedParameters(), {.lr = 0.1});
  optim::Trainer trainer(
      net, sgd, data,
      {.epochs = 100, .batchSize = 8, .seed = 1, .loss = [](const Tensor& output, const Tensor& target) {
         return mse(output, target);
       }});
  double last = 1;
  trainer.afterStep([&](const optim::StepInfo& info) { last = info.loss; });
  trainer.run();
  CHECK(last < 1e-4);
  const optim::Evaluation e = trainer.evaluate(data);
  CHECK(e.loss < 1e-4);
  CHECK(e.samples == 16);
  CHECK(std::isnan(e.accuracy));
}

TEST_CASE("a trainer evaluates with its own loss") {
  SmallRun run({.trainer = {.epochs = 2, .batchSize = 4, .seed = 1, .loss = [](const Tensor& y, const Tensor& labels) {
                              return crossEntropy(y, labels) * 100;
                            }}});
  const optim::Evaluation own = run.trainer->evaluate(run.data), plain = optim::evaluate(run.net, run.data);
  CHECK(own.loss == doctest::Approx(100 * plain.loss).epsilon(1e-5));  // f32
  CHECK(own.accuracy == plain.accuracy);
}

TEST_CASE("a loss that is no scalar is the trainer's error, with help") {
  const auto messageWith = [](const optim::LossFunction& loss) {
    SmallRun run({.trainer = {.epochs = 2, .batchSize = 4, .seed = 1, .loss = loss}});
    const std::string before = run.state(), step = messageOf([&] { run.trainer->step(); });
    CHECK(run.state() == before);
    CHECK(messageOf([&] { run.trainer->evaluate(run.data); }).starts_with(step.substr(0, 12)));
    CHECK(contains(step, "help"));
    return step;
  };
  const std::string many = messageWith([](const Tensor& output, const Tensor& labels) {
    return crossEntropy(output, labels, {.reduction = Reduction::None});
  });
  CHECK(contains(many, "[Trainer] ShapeError: the loss function gave"));
  CHECK(contains(many, "expected a scalar"));
  CHECK(contains(messageWith([](const Tensor&, const Tensor& labels) { return labels.sum(); }), "i64"));
  CHECK(contains(messageWith([](const Tensor&, const Tensor&) { return Tensor(); }),
                 "[Trainer] StateError: the loss function gave an undefined tensor"));
}

TEST_CASE("options out of range are refused") {
  SmallRun run({});
  const auto refused = [&](const optim::TrainerOptions& options) {
    return headlineOf<ValueError>([&] { optim::Trainer(run.net, *run.optimizer, run.data, options); });
  };
  CHECK(refused({.epochs = 0}) == "[Trainer] ValueError: epochs is 0");
  CHECK(refused({.batchSize = 0}) == "[Loader] ValueError: batchSize is 0");
  // "Until I stop it": no file could hold the run, and the number of its steps overflows.
  const i64 largest = std::numeric_limits<i64>::max();
  CHECK(refused({.epochs = largest}) == "[Trainer] ValueError: epochs is 9223372036854775807");
  CHECK(refused({.epochs = largest / 4, .batchSize = 4}) == "[Trainer] ValueError: epochs is 2305843009213693951");
  CHECK(refused({.accumulate = largest}) == "[Trainer] ValueError: accumulate is 9223372036854775807");
  CHECK(refused({.batchSize = largest}) == "[Trainer] ValueError: batchSize is 9223372036854775807");
  CHECK(contains(refused({.clipNorm = -1}), "clipNorm is -1"));
  CHECK(contains(refused({.clipNorm = noNumber}), "clipNorm is nan"));
  CHECK(contains(refused({.emaDecay = 1}), "decay is 1"));
  CHECK(contains(refused({.labelSmoothing = 1}), "[Trainer] ValueError: labelSmoothing is 1"));
  CHECK(contains(refused({.labelSmoothing = -0.1}), "labelSmoothing is -0.1"));
  CHECK(contains(refused({.labelSmoothing = noNumber}), "labelSmoothing is nan"));
  CHECK(contains(refused({.batchSize = 100, .dropLast = true}), "dropLast leaves no batch"));
}

TEST_CASE("a last batch of one sample is warned of before batch norm meets it (T17)") {
  const auto saidFor = [](const SmallOptions& net, const optim::TrainerOptions& options) {
    SmallRun run(net);
    std::string said;
    const WarningHandler before = setWarningHandler([&](std::string_view text) { said += text; });
    optim::Trainer trainer(run.net, *run.optimizer, run.data, options);
    setWarningHandler(before);
    return said;
  };
  CHECK(saidFor({}, {.batchSize = 7, .dropLast = true}).empty());
  CHECK(saidFor({}, {.batchSize = 6}).empty());
  CHECK(saidFor({.batchNorm = false}, {.batchSize = 7}).empty());
  CHECK(contains(saidFor({}, {.batchSize = 7}), "the last batch of an epoch holds 1 sample (22 mod 7)"));
}
