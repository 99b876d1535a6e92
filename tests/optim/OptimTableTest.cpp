// Walks optim/Optim.def: what holds for one optimiser holds for each.
#include <doctest/doctest.h>

#include <ember/ember.h>

#include <cmath>
#include <limits>

using namespace ember;

namespace {

// Options that are not the defaults, so that nothing passes by leaving them out.
Value optionsFor(const std::string& type) {
  if (type == "SGD") return {{"lr", 0.05}, {"momentum", 0.9}, {"nesterov", true}};
  if (type == "RMSProp") return {{"lr", 0.02}, {"momentum", 0.5}, {"centered", true}};
  if (type == "Adagrad") return {{"lr", 1}, {"initialAccumulator", 0.1}};
  if (type == "Adadelta") return {{"lr", 2}, {"rho", 0.8}, {"epsilon", 1e-3}};
  if (type == "Adamax") return {{"lr", 0.1}, {"beta2", 0.9}};
  if (type == "SMORMS3") return {{"lr", 0.05}};
  if (type == "AdamW") return {{"lr", 0.1}, {"beta1", 0.8}, {"amsgrad", true}};
  return {{"lr", 0.1}, {"beta1", 0.8}};
}

struct Bowl {
  explicit Bowl(DType dtype) {
    parameters.push_back({"x", Tensor::of({3.0, -2.0, 1.0}, dtype).setRequiresGrad()});
    parameters.push_back({"y", Tensor::of({-4.0}, dtype).setRequiresGrad()});
  }
  // f = sum x² + 2 (y - 1)², lowest at x = 0, y = 1
  void step(optim::Optimizer& optimizer) {
    const Tensor x = parameters[0].tensor, y = parameters[1].tensor;
    optimizer.zeroGrad();
    ((x * x).sum() + ((y - 1.0) * (y - 1.0)).sum() * 2.0).backward();
    optimizer.step();
  }
  nn::Parameters parameters;
};

std::vector<double> valuesOf(const Bowl& bowl) {
  std::vector<double> values;
  for (const nn::Parameter& p : bowl.parameters) {
    for (const double v : p.tensor.toVector<double>()) values.push_back(v);
  }
  return values;
}

}  // namespace

TEST_CASE("every optimiser of the table is made by name and finds the bottom of a bowl in f32 and f64") {
  REQUIRE(optim::optimizerTypes().size() == 11);
  for (const std::string& type : optim::optimizerTypes()) {
    for (const DType dtype : {DType::F32, DType::F64}) {
      CAPTURE(type);
      Bowl bowl(dtype);
      Value options = optionsFor(type);
      options.set("weightDecay", 0.0);
      const auto optimizer = optim::makeOptimizer(type, bowl.parameters, options);
      CHECK(optimizer->typeName() == type);
      for (int i = 0; i < 1500; ++i) {
        optimizer->setLrFactor(std::pow(0.995, i));  // small in the end, so no optimiser hovers around the bottom
        bowl.step(*optimizer);
      }
      const std::vector<double> values = valuesOf(bowl), bottom{0, 0, 0, 1};
      for (std::size_t i = 0; i < bottom.size(); ++i) CHECK(std::abs(values[i] - bottom[i]) < 0.02);
    }
  }
}

TEST_CASE("every optimiser goes on bit for bit from a state that was saved in mid-run") {
  for (const std::string& type : optim::optimizerTypes()) {
    CAPTURE(type);
    Bowl straight(DType::F32), stopped(DType::F32), resumed(DType::F32);
    const auto whole = optim::makeOptimizer(type, straight.parameters, optionsFor(type));
    for (int i = 0; i < 9; ++i) straight.step(*whole);

    const auto first = optim::makeOptimizer(type, stopped.parameters, optionsFor(type));
    for (int i = 0; i < 4; ++i) stopped.step(*first);
    const auto second = optim::makeOptimizer(type, resumed.parameters, optionsFor(type));
    const Value state = Value::parse(first->state().dump());
    second->checkState(state);
    {
      const NoGrad guard;
      for (std::size_t i = 0; i < 2; ++i) resumed.parameters[i].tensor.copy_(stopped.parameters[i].tensor);
      const nn::Parameters from = first->namedSlots();
      nn::Parameters to = second->namedSlots();
      REQUIRE(from.size() == to.size());
      for (std::size_t i = 0; i < from.size(); ++i) {
        CHECK(from[i].name == to[i].name);
        to[i].tensor.copy_(from[i].tensor);
      }
    }
    second->restore(state);
    for (int i = 0; i < 5; ++i) resumed.step(*second);
    CHECK(valuesOf(resumed) == valuesOf(straight));
  }
}

TEST_CASE("every optimiser leaves a frozen parameter alone") {
  for (const std::string& type : optim::optimizerTypes()) {
    CAPTURE(type);
    Bowl bowl(DType::F32);
    const auto optimizer = optim::makeOptimizer(type, bowl.parameters, optionsFor(type));
    bowl.parameters[1].tensor.setRequiresGrad(false);
    bowl.step(*optimizer);
    CHECK(bowl.parameters[1].tensor.item() == -4.0);
    CHECK(valuesOf(bowl)[0] != 3.0);
  }
}

TEST_CASE("an unknown optimiser or option is refused with the nearest name") {
  Bowl bowl(DType::F32);
  const auto messageOf = [&](const char* type, const Value& options) -> std::string {
    try {
      optim::makeOptimizer(type, bowl.parameters, options);
    } catch (const ValueError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(messageOf("AdamWw", Value::object()).find("did you mean \"AdamW\"?") != std::string::npos);
  CHECK(messageOf("SGD", {{"momentun", 0.9}}).find("did you mean \"momentum\"?") != std::string::npos);
}

TEST_CASE("every optimiser refuses a rate, a decay rate of averages and an epsilon that cannot be meant (M7)") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  const auto badFor = [&](const std::string& option) -> std::vector<double> {
    if (option == "lr" || option == "weightDecay") return {-1, nan, infinite};
    for (const char* average : {"momentum", "beta1", "beta2", "alpha", "rho"})
      if (option == average) return {-0.1, 1, nan, infinite};
    if (option == "epsilon") return {0, -1e-8, nan, infinite};
    return {};
  };
  int refused = 0;
  for (const std::string& type : optim::optimizerTypes()) {
    Bowl bowl(DType::F32);
    Value known = optim::makeOptimizer(type, bowl.parameters, Value::object())->options();
    known.set("lr", 0.1);
    known.set("weightDecay", 0.0);
    for (const auto& member : known.members()) {
      const std::string& option = member.first;
      for (const double bad : badFor(option)) {
        CAPTURE(type);
        CAPTURE(option);
        CAPTURE(bad);
        CHECK_THROWS_AS(optim::makeOptimizer(type, bowl.parameters, {{option.c_str(), bad}}), ValueError);
        ++refused;
      }
    }
  }
  CHECK(refused >= 11 * 6 + 40);  // rates and weight decays of all, and averages and epsilons where there are some
}

TEST_CASE("options out of range are refused under the optimiser's name") {
  Bowl bowl(DType::F32);
  const auto refuses = [&](const char* type, const char* option, double value) {
    CAPTURE(type);
    CAPTURE(option);
    try {
      optim::makeOptimizer(type, bowl.parameters, {{option, value}});
      FAIL_CHECK("took " << value);
    } catch (const ValueError& error) {
      const std::string text = error.headline();
      CHECK_MESSAGE((text.starts_with("[" + std::string(type) + "] ") && text.find(option) != std::string::npos), text);
    }
  };
  for (const char* type : {"NAdam", "RAdam", "Adamax", "Lion"}) {
    for (const double bad : {-0.1, 1.0}) {
      refuses(type, "beta1", bad);
      refuses(type, "beta2", bad);
    }
  }
  for (const char* type : {"NAdam", "RAdam", "Adamax", "Adagrad", "Adadelta", "SMORMS3"}) {
    for (const double bad : {0.0, -1.0}) refuses(type, "epsilon", bad);
  }
  refuses("NAdam", "momentumDecay", -1);
  refuses("Adagrad", "lrDecay", -1);
  refuses("Adagrad", "initialAccumulator", -1);
  refuses("Adadelta", "rho", 1);
}

TEST_CASE("a state saved before an option was added is that of an optimiser without it") {
  Bowl bowl(DType::F32);
  const auto now = optim::makeOptimizer("Adam", bowl.parameters, Value::object());
  Value old = now->state(), options = Value::object();
  for (const auto& [key, value] : old.at("options").members()) {
    if (key != "amsgrad") options.set(key, value);
  }
  REQUIRE(options.size() + 1 == old.at("options").size());
  old.set("options", options);
  now->checkState(old);
  const auto other = optim::makeOptimizer("Adam", bowl.parameters, {{"amsgrad", true}});
  CHECK_THROWS_AS(other->checkState(old), ValueError);
}
