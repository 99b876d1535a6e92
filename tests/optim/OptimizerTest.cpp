// What GoldenTest (PyTorch's numbers) leaves: what may be given, groups, who is stepped, state.
#include <cmath>
#include <functional>
#include <memory>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

const double noNumber = std::nan(""), infinite = HUGE_VAL;

/// One parameter with its gradient set.
struct Single {
  explicit Single(double value = 1, double gradient = 1, DType dtype = DType::F64)
      : parameters{{"w", Tensor::full({1}, value, dtype).setRequiresGrad()}} {
    pull(gradient);
  }
  void pull(double gradient) {
    parameters[0].tensor.setGrad(Tensor::full({1}, gradient, parameters[0].tensor.dtype()));
  }
  double value() const { return parameters[0].tensor.item(); }
  nn::Parameters parameters;
};

/// A parameter for each name, all 1, each with a gradient of 1.
nn::Parameters named(const std::vector<std::string>& names) {
  nn::Parameters list;
  for (const std::string& name : names) {
    list.push_back({name, Tensor::ones({1}, DType::F64).setRequiresGrad()});
    list.back().tensor.setGrad(Tensor::ones({1}, DType::F64));
  }
  return list;
}

using Make = std::function<std::unique_ptr<optim::Optimizer>(nn::Parameters)>;

/// Every optimiser with slots of every kind.
std::vector<Make> everyOptimizer(double lr) {
  return {[=](nn::Parameters p) { return std::make_unique<optim::SGD>(std::move(p), optim::SGDOptions{.lr = lr}); },
          [=](nn::Parameters p) {
            return std::make_unique<optim::SGD>(std::move(p),
                                                optim::SGDOptions{.lr = lr, .momentum = 0.5, .nesterov = true});
          },
          [=](nn::Parameters p) { return std::make_unique<optim::Adam>(std::move(p), optim::AdamOptions{.lr = lr}); },
          [=](nn::Parameters p) {
            return std::make_unique<optim::AdamW>(std::move(p), optim::AdamOptions{.lr = lr, .weightDecay = 0});
          },
          [=](nn::Parameters p) {
            return std::make_unique<optim::RMSProp>(std::move(p),
                                                    optim::RMSPropOptions{.lr = lr, .momentum = 0.5, .centered = true});
          }};
}

/// The warnings that come while it lives.
class Warnings {
 public:
  Warnings() : before_(setWarningHandler([this](std::string_view text) { all.emplace_back(text); })) {}
  ~Warnings() { setWarningHandler(before_); }
  Warnings(const Warnings&) = delete;
  Warnings& operator=(const Warnings&) = delete;
  std::vector<std::string> all;

 private:
  WarningHandler before_;
};

}  // namespace

TEST_CASE("an empty list of parameters is an error (M5)") {
  CHECK(headlineOf<ValueError>([] { optim::SGD sgd({}); }) ==
        "[optimizer] ValueError: the list of parameters is empty");
  CHECK(contains(messageOf([] { optim::Adam adam(nn::ReLU().namedParameters()); }), "pass net.namedParameters()"));
}

TEST_CASE("the same parameter or the same name twice is an error that says what to do (M6)") {
  nn::Linear layer(2, 2);
  nn::Parameters twice = layer.namedParameters();
  twice.push_back({"other", twice[0].tensor});
  CHECK(headlineOf<ValueError>([&] { optim::SGD sgd(twice); }) ==
        "[optimizer] ValueError: the parameter \"other\" is given twice");
  CHECK(headlineOf<ValueError>([] {
          optim::SGD sgd(named({"a", "b", "a"}));
        }) == "[optimizer] ValueError: two parameters have the name \"a\"");
  CHECK(contains(messageOf([&] { optim::SGD sgd(twice); }), "before  as \"weight\""));
  CHECK(contains(messageOf([&] { optim::SGD sgd(twice); }), "help    it would be stepped twice: pass it once"));
  CHECK(contains(messageOf([] { optim::SGD sgd(named({"a", "a"})); }), "put the nets into one module"));
  CHECK(headlineOf<ValueError>([] {
          optim::SGD sgd(nn::Parameters{{"w", {}}});
        }) == "[optimizer] ValueError: the parameter \"w\" is undefined");
}

TEST_CASE("numbers out of range are refused at construction (M7)") {
  Single one;
  const auto& p = one.parameters;
  for (const double bad : {-1.0, noNumber, infinite}) {
    CHECK_THROWS_AS(optim::SGD(p, {.lr = bad}), ValueError);
    CHECK_THROWS_AS(optim::Adam(p, {.lr = bad}), ValueError);
    CHECK_THROWS_AS(optim::AdamW(p, {.weightDecay = bad}), ValueError);
    CHECK_THROWS_AS(optim::RMSProp(p, {.weightDecay = bad}), ValueError);
    CHECK_THROWS_AS(optim::SGD(p, {.groups = {{.pattern = "w", .lr = bad}}}), ValueError);
    CHECK_THROWS_AS(optim::SGD(p, {.groups = {{.pattern = "w", .weightDecay = bad}}}), ValueError);
    nn::Parameters multiplied = p;
    multiplied[0].settings.lrMultiplier = bad;
    CHECK_THROWS_AS(optim::SGD{multiplied}, ValueError);
    optim::SGD sgd(p);
    CHECK_THROWS_AS(sgd.setLrFactor(bad), ValueError);
    CHECK(sgd.lrFactor() == 1);
  }
  for (const double bad : {-0.1, 1.0, noNumber}) {
    CHECK_THROWS_AS(optim::SGD(p, {.momentum = bad}), ValueError);
    CHECK_THROWS_AS(optim::Adam(p, {.beta1 = bad}), ValueError);
    CHECK_THROWS_AS(optim::Adam(p, {.beta2 = bad}), ValueError);
    CHECK_THROWS_AS(optim::RMSProp(p, {.alpha = bad}), ValueError);
    CHECK_THROWS_AS(optim::RMSProp(p, {.momentum = bad}), ValueError);
  }
  for (const double bad : {0.0, -1e-8, noNumber, infinite}) {
    CHECK_THROWS_AS(optim::Adam(p, {.epsilon = bad}), ValueError);
    CHECK_THROWS_AS(optim::RMSProp(p, {.epsilon = bad}), ValueError);
  }
  for (const double bad : {-0.1, 1.1, noNumber})
    CHECK_THROWS_AS(optim::SGD(p, {.momentum = 0.9, .dampening = bad}), ValueError);
  CHECK(headlineOf<ValueError>([&] { optim::SGD(p, {.nesterov = true}); }) ==
        "[SGD] ValueError: nesterov needs a momentum above 0 and a dampening of 0");
  CHECK_THROWS_AS(optim::SGD(p, {.momentum = 0.9, .dampening = 0.1, .nesterov = true}), ValueError);
  CHECK(headlineOf<ValueError>([&] { optim::SGD(p, {.lr = -1}); }) ==
        "[optimizer] ValueError: the learning rate is -1.000000");
  optim::SGD still(p, {.lr = 0});
  still.step();
  CHECK(one.value() == 1);
}

TEST_CASE("first steps by hand") {
  // SGD: v = g, p = 1 - 0.1·2; then v = 0.5·2 + 3, p -= 0.1·4.
  Single sgd(1, 2);
  optim::SGD a(sgd.parameters, {.lr = 0.1, .momentum = 0.5});
  a.step();
  CHECK(sgd.value() == doctest::Approx(0.8).epsilon(1e-15));
  sgd.pull(3);
  a.step();
  CHECK(sgd.value() == doctest::Approx(0.4).epsilon(1e-14));
  // Adam's first step is lr·g/(|g| + epsilon), whatever the gradient.
  Single adam(1, -50);
  optim::Adam(adam.parameters, {.lr = 0.1}).step();
  CHECK(adam.value() == doctest::Approx(1.1).epsilon(1e-9));
  // AdamW shrinks by lr·weightDecay beside: 0.01 unless told otherwise, where Adam has none.
  Single shrunk(2, 1);
  optim::AdamW(shrunk.parameters, {.lr = 0.1}).step();
  CHECK(shrunk.value() == doctest::Approx(2 * (1 - 0.1 * 0.01) - 0.1).epsilon(1e-9));
  Single chosen(2, 1);
  optim::AdamW(chosen.parameters, {.lr = 0.1, .weightDecay = 0.5}).step();
  CHECK(chosen.value() == doctest::Approx(2 * (1 - 0.1 * 0.5) - 0.1).epsilon(1e-9));
  // RMSProp: s = 0.01·g², so the first step is lr·10.
  Single rms(1, 4);
  optim::RMSProp(rms.parameters, {.lr = 0.01}).step();
  CHECK(rms.value() == doctest::Approx(0.9).epsilon(1e-8));
}

TEST_CASE("every optimiser goes down a quadratic, in f32 and f64") {
  for (const DType dtype : {DType::F32, DType::F64}) {
    for (const Make& make : everyOptimizer(0.05)) {
      Tensor w = Tensor::of({3, -2, 0.5}, dtype).setRequiresGrad();
      const Tensor target = Tensor::of({1, 1, 1}, dtype);
      const auto optimizer = make({{"w", w}});
      for (int i = 0; i < 600; ++i) {
        optimizer->zeroGrad();
        mse(w, target).backward();
        optimizer->setLrFactor(1 - i / 600.0);
        optimizer->step();
      }
      CAPTURE(optimizer->typeName());
      CHECK(mse(w, target).item() < 1e-3);
      CHECK(w.dtype() == dtype);
      CHECK(optimizer->steps() == 600);
    }
  }
}

TEST_CASE("groups by pattern: the first match wins, the rest keeps the optimiser's own") {
  const nn::Parameters p = named({"features.0.weight", "features.0.bias", "head.weight", "head.bias"});
  optim::SGD sgd(p, {.lr = 0.1,
                     .weightDecay = 1,
                     .groups = {{.pattern = "*.bias", .weightDecay = 0}, {.pattern = "features.*", .lr = 0.01}}});
  sgd.step();
  const auto value = [&](int i) { return p[static_cast<std::size_t>(i)].tensor.item(); };
  CHECK(value(0) == doctest::Approx(1 - 0.01 * 2).epsilon(1e-15));
  CHECK(value(1) == doctest::Approx(1 - 0.1 * 1).epsilon(1e-15));  // a bias first, then a feature
  CHECK(value(2) == doctest::Approx(1 - 0.1 * 2).epsilon(1e-15));
  CHECK(value(3) == doctest::Approx(1 - 0.1 * 1).epsilon(1e-15));
  CHECK(sgd.baseLr() == 0.1);
  const std::string message = messageOf([&] { optim::SGD(p, {.groups = {{.pattern = "haed.*", .lr = 1}}}); });
  CHECK(contains(message, "no parameter falls to the group \"haed.*\""));
  CHECK(contains(message, "did you mean \"head."));
  // A group that another covers wholly would change nothing: an error too.
  CHECK_THROWS_AS(optim::SGD(p, {.groups = {{.pattern = "*", .lr = 1}, {.pattern = "head.*", .lr = 2}}}), ValueError);
}

TEST_CASE("the rate of a parameter is group, schedule and its own multiplier together") {
  nn::Parameters p = named({"a", "b"});
  p[0].settings = {.lrMultiplier = 0.5, .weightDecayMultiplier = 0};
  optim::SGD sgd(p, {.lr = 0.1, .weightDecay = 1, .groups = {{.pattern = "a", .lr = 0.4}}});
  sgd.setLrFactor(0.25);
  sgd.step();
  CHECK(p[0].tensor.item() == doctest::Approx(1 - 0.4 * 0.25 * 0.5).epsilon(1e-15));
  CHECK(p[1].tensor.item() == doctest::Approx(1 - 0.1 * 0.25 * 2).epsilon(1e-15));
}

TEST_CASE("frozen parameters stand still, weight decay and momentum included") {
  for (const Make& make : everyOptimizer(0.1)) {
    const nn::Parameters p = named({"a", "b"});
    const auto optimizer = make(p);
    optimizer->step();
    const double before = p[0].tensor.item(), other = p[1].tensor.item();
    Tensor(p[0].tensor).setRequiresGrad(false);
    optimizer->step();
    CHECK(p[0].tensor.item() == before);
    CHECK(p[1].tensor.item() != other);
    Tensor(p[0].tensor).setRequiresGrad(true);
    optimizer->step();
    CHECK(p[0].tensor.item() != before);
  }
}

TEST_CASE("a parameter without a gradient is left alone, and told of once if it never had one (M10)") {
  const Warnings warnings;
  nn::Parameters p = named({"used", "never in the loss"});
  p[1].tensor.zeroGrad();
  optim::Adam adam(p, {.lr = 0.1, .weightDecay = 1});
  adam.step();
  adam.step();
  CHECK(p[1].tensor.item() == 1);
  CHECK(warnings.all ==
        std::vector<std::string>{
            "the parameter \"never in the loss\" had no gradient at the optimiser's step; is it part of the loss?"});
  // One that had a gradient before is no surprise, and its own count of steps stands still.
  p[0].tensor.zeroGrad();
  adam.step();
  CHECK(warnings.all.size() == 1);
  CHECK(adam.steps() == 3);
  const Value state = adam.state();
  CHECK(state.at("parameters")[0].get<i64>("step") == 2);
  CHECK(state.at("parameters")[1].get<i64>("step") == 0);
}

TEST_CASE("zeroGrad marks the gradients of its parameters absent") {
  const nn::Parameters p = named({"a", "b"});
  optim::SGD({p[0]}).zeroGrad();
  CHECK(!p[0].tensor.grad().defined());
  CHECK(p[1].tensor.grad().defined());
}

TEST_CASE("slots are named by slot and parameter") {
  const nn::Parameters p = named({"conv.weight", "fc.bias"});
  const auto names = [&](const optim::Optimizer& o) {
    std::string text;
    for (const nn::Parameter& slot : o.namedSlots()) text += slot.name + " ";
    return text;
  };
  CHECK(names(optim::SGD(p)).empty());
  CHECK(names(optim::SGD(p, {.momentum = 0.9})) == "momentum/conv.weight momentum/fc.bias ");
  CHECK(names(optim::Adam(p)) == "exp_avg/conv.weight exp_avg/fc.bias exp_avg_sq/conv.weight exp_avg_sq/fc.bias ");
  CHECK(names(optim::RMSProp(p, {.momentum = 0.9, .centered = true})) ==
        "square_avg/conv.weight square_avg/fc.bias momentum_buffer/conv.weight momentum_buffer/fc.bias "
        "grad_avg/conv.weight grad_avg/fc.bias ");
}

TEST_CASE("an optimiser restored from state and slots goes on bit for bit") {
  const std::vector<Make> all = everyOptimizer(0.05);
  for (const Make& make : all) {
    const auto run = [&](optim::Optimizer& optimizer, const nn::Parameters& p, int from, int to) {
      for (int i = from; i < to; ++i) {
        for (nn::Parameter q : p) q.tensor.setGrad(Tensor::full({1}, std::sin(i), DType::F64));
        optimizer.setLrFactor(1 / (1.0 + i));
        optimizer.step();
      }
    };
    const nn::Parameters straight = named({"a", "b"}), early = named({"a", "b"}), late = named({"a", "b"});
    run(*make(straight), straight, 0, 9);
    const auto first = make(early), second = make(late);
    run(*first, early, 0, 4);

    second->checkState(first->state());
    second->restore(Value::parse(first->state().dump()));
    const nn::Parameters from = first->namedSlots(), to = second->namedSlots();
    REQUIRE(from.size() == to.size());
    const NoGrad guard;
    for (std::size_t i = 0; i < from.size(); ++i) Tensor(to[i].tensor).copy_(from[i].tensor);
    for (std::size_t i = 0; i < early.size(); ++i) Tensor(late[i].tensor).copy_(early[i].tensor);
    CHECK(second->state() == first->state());
    run(*second, late, 4, 9);
    for (std::size_t i = 0; i < late.size(); ++i) CHECK(sameBits(late[i].tensor, straight[i].tensor));
  }
}

TEST_CASE("state of another optimiser is refused with what differs, and nothing changes (J24)") {
  const nn::Parameters p = named({"a", "b"});
  const optim::SGD sgd(p, {.momentum = 0.9});
  const auto refusal = [&](const optim::Optimizer& other) {
    return headlineOf<ValueError>([&] { sgd.checkState(other.state()); });
  };
  CHECK(refusal(optim::Adam(p)) == "[SGD] ValueError: the saved optimiser does not fit: it is Adam, this one is SGD");
  CHECK(contains(refusal(optim::SGD(p, {.momentum = 0.8})), "its options are {\"momentum\": 0.8"));
  CHECK(contains(refusal(optim::SGD({p[0]}, {.momentum = 0.9})), "it has 1 parameters, here are 2"));
  CHECK(contains(refusal(optim::SGD(named({"a", "c"}), {.momentum = 0.9})), "its parameter 1 is \"c\", here \"b\""));
  CHECK(contains(refusal(optim::SGD(p, {.lr = 3, .momentum = 0.9})), "the lr of \"a\" was 3.0, here 0.01"));
  CHECK(contains(refusal(optim::SGD(p, {.momentum = 0.9, .groups = {{.pattern = "b", .weightDecay = 0.5}}})),
                 "the weight_decay of \"b\" was 0.5, here 0.0"));
  CHECK_NOTHROW(sgd.checkState(optim::SGD(p, {.momentum = 0.9}).state()));
}

TEST_CASE("a parameter that changed its type after the optimiser was made is an error, before anything is stepped") {
  for (const Make& make : everyOptimizer(0.1)) {
    seed(1);
    nn::Sequential net(nn::Linear(2, 2), nn::Linear(2, 2));
    const auto optimizer = make(net.namedParameters());
    net.child("1").to(DType::F64);
    for (nn::Parameter p : net.namedParameters()) p.tensor.setGrad(p.tensor.detach().clone());
    const Tensor before = net.namedParameters()[0].tensor.clone();
    const bool hasSlots = !optimizer->namedSlots().empty();
    if (!hasSlots) continue;  // plain SGD keeps nothing of the old type
    CHECK(contains(headlineOf<StateError>([&] { optimizer->step(); }),
                   "the parameter \"1.weight\" changed its type after the optimiser was made"));
    CHECK(sameBits(net.namedParameters()[0].tensor, before));
    CHECK(optimizer->steps() == 0);
    CHECK(optimizer->state().at("parameters")[0].get<i64>("step") == 0);
  }
}

TEST_CASE("parameters and gradients of any strides are stepped element by element") {
  for (const Make& make : everyOptimizer(0.1)) {
    const Tensor values = draw("strides", {3, 5}), slope = draw("slope", {3, 5});
    Tensor plain = values.clone().setRequiresGrad(), turned = strided(values).setRequiresGrad();
    plain.setGrad(slope);
    turned.setGrad(strided(slope));
    const auto a = make({{"w", plain}}), b = make({{"w", turned}});
    for (int i = 0; i < 3; ++i) {
      a->step();
      b->step();
    }
    CHECK(!turned.array().isDense());
    CHECK(sameBits(plain, turned));
    CHECK(!sameBits(plain, values));
  }
}

TEST_CASE("parameters of many chunks are stepped as those of one") {
  const i64 n = 3 * 16384 + 5;  // the chunk of a step is 16,384 elements
  const Tensor values = draw("chunks", {n}).to(DType::F32), slope = draw("chunk slopes", {n}).to(DType::F32);
  for (const Make& make : everyOptimizer(0.1)) {
    Tensor whole = values.clone().setRequiresGrad(), small = Tensor::ones({3}).setRequiresGrad();
    whole.setGrad(slope);
    small.setGrad(Tensor::ones({3}));
    Tensor start = values.slice(0, 0, 100).clone().setRequiresGrad(),
           end = values.slice(0, n - 100, n).clone().setRequiresGrad();
    start.setGrad(slope.slice(0, 0, 100));
    end.setGrad(slope.slice(0, n - 100, n));
    const auto a = make({{"small", small}, {"whole", whole}}), b = make({{"start", start}, {"end", end}});
    for (int i = 0; i < 3; ++i) {
      a->step();
      b->step();
    }
    // Not bit for bit: the rest of a chunk behind the last full vector rounds products and sums apart. A few roundings
    // of f32.
    const auto far = [](const Tensor& x, const Tensor& y) {
      return (x.detach() - y.detach()).array().numel() ? amax(abs(x.detach() - y.detach())).item() : 0.0;
    };
    CHECK(far(whole.detach().slice(0, 0, 100), start) < 1e-6);
    CHECK(far(whole.detach().slice(0, n - 100, n), end) < 1e-6);
  }
}

TEST_CASE("centred RMSProp survives a constant gradient") {
  // Square and mean square become equal but for rounding, which must not become the root of a negative number.
  Single one(0, 0.7, DType::F32);
  optim::RMSProp rms(one.parameters, {.lr = 1e-9, .alpha = 0.5, .centered = true});
  for (int i = 0; i < 200; ++i) rms.step();
  CHECK(std::isfinite(one.value()));
}
