// Optimisers, schedules and clipping against the numbers that PyTorch gives (tests/golden/generate_optim.py), and whole
// nets that train (generate_layers.py).
#include <functional>
#include <map>
#include <memory>

#include <doctest/doctest.h>
#include <ember/ember.h>

#include "support/Golden.h"
#include "support/GoldenState.h"

using namespace ember;
using namespace ember::test;

namespace {

double field(const Json& o, const char* name, double fallback) {
  return o.contains(name) ? o.at(name).get<double>() : fallback;
}
bool flag(const Json& o, const char* name) { return o.contains(name) && o.at(name).get<bool>(); }

std::unique_ptr<optim::Optimizer> makeOptimizer(const std::string& kind, const nn::Parameters& p, const Json& o) {
  const double lr = o.at("lr").get<double>();
  if (kind == "SGD") {
    return std::make_unique<optim::SGD>(p, optim::SGDOptions{.lr = lr,
                                                             .momentum = field(o, "momentum", 0),
                                                             .dampening = field(o, "dampening", 0),
                                                             .weightDecay = field(o, "weightDecay", 0),
                                                             .nesterov = flag(o, "nesterov")});
  }
  if (kind == "RMSProp") {
    optim::RMSPropOptions options{
        .lr = lr, .weightDecay = field(o, "weightDecay", 0), .momentum = field(o, "momentum", 0)};
    options.alpha = field(o, "alpha", options.alpha);
    options.epsilon = field(o, "epsilon", options.epsilon);
    options.centered = flag(o, "centered");
    return std::make_unique<optim::RMSProp>(p, options);
  }
  optim::AdamOptions options{.lr = lr};
  options.beta1 = field(o, "beta1", options.beta1);
  options.beta2 = field(o, "beta2", options.beta2);
  options.epsilon = field(o, "epsilon", options.epsilon);
  if (o.contains("weightDecay")) options.weightDecay = o.at("weightDecay").get<double>();
  if (kind == "Adam") return std::make_unique<optim::Adam>(p, options);
  REQUIRE(kind == "AdamW");
  return std::make_unique<optim::AdamW>(p, options);
}

/// The parameters of a case, leaves of that type.
nn::Parameters parametersOf(const Json& tensors, DType dtype) {
  nn::Parameters result;
  for (const auto& [name, value] : tensors.items()) {
    Tensor t = tensorOf(value, dtype);
    result.push_back({name, t.setRequiresGrad()});
  }
  return result;
}

optim::Schedule makeSchedule(const std::string& op, const Json& o) {
  using namespace optim::schedule;
  if (op == "constant") return constant();
  if (op == "step") return step(o.at("every").get<i64>(), o.at("gamma").get<double>());
  if (op == "multiStep") return multiStep(sizesOf(o.at("milestones")), o.at("gamma").get<double>());
  if (op == "exponential") return exponential(o.at("gamma").get<double>());
  if (op == "cosine") return cosine(o.at("steps").get<i64>(), o.at("floor").get<double>());
  if (op == "warmUp") return warmUp(o.at("steps").get<i64>(), o.at("start").get<double>(), constant());
  if (op == "warmUpCosine") {
    return warmUp(o.at("steps").get<i64>(), o.at("start").get<double>(), cosine(o.at("cosineSteps").get<i64>()));
  }
  if (op == "linear") return linear(o.at("steps").get<i64>(), o.at("start").get<double>(), o.at("end").get<double>());
  if (op == "polynomial")
    return polynomial(o.at("steps").get<i64>(), o.at("power").get<double>(), o.at("floor").get<double>());
  if (op == "cosineRestarts")
    return cosineRestarts(o.at("first").get<i64>(), o.at("multiplier").get<i64>(), o.at("floor").get<double>());
  if (op == "cyclic") {
    const auto mode = o.at("mode").get<std::string>();
    return cyclic({.up = o.at("up").get<i64>(),
                   .down = o.at("down").get<i64>(),
                   .low = o.at("low").get<double>(),
                   .mode = mode == "triangular"    ? CyclicMode::Triangular
                           : mode == "triangular2" ? CyclicMode::Triangular2
                                                   : CyclicMode::ExpRange,
                   .gamma = o.at("gamma").get<double>()});
  }
  if (op == "chained") return chained({linear(4, 0.25, 1), exponential(0.9)});
  if (op == "sequential")
    return sequential({linear(4, 0.25, 1), cosine(8), exponential(0.5)}, sizesOf(o.at("milestones")));
  if (op == "lambda") return lambda("harmonic", [](i64 t) { return 1 / (1 + static_cast<double>(t)); });
  REQUIRE(op == "oneCycle");
  return oneCycle({.steps = o.at("steps").get<i64>(),
                   .warmUp = o.at("warmUp").get<double>(),
                   .startDivisor = o.at("startDivisor").get<double>(),
                   .finalDivisor = o.at("finalDivisor").get<double>()});
}

/// The nets of generate_layers.py, with the same names.
struct Plain : nn::Module {
  nn::Conv2D& conv = add("conv", nn::Conv2D(1, 3, {.kernel = 3, .padding = 1, .bias = false}));
  nn::BatchNorm2D& norm = add("norm", nn::BatchNorm2D(3, {.initFactor = 0.1, .minFactor = 0.1}));
  nn::Linear& fc = add("fc", nn::Linear(3 * 2 * 2, 3));
  using Module::forward;
  Tensor forward(const Tensor& x) override { return fc(flatten(maxPool2d(relu(norm(conv(x))), {.kernel = 2}), 1)); }
};

struct Residual : nn::Module {
  nn::Conv2D& stem = add("stem", nn::Conv2D(1, 3, {.kernel = 3, .padding = 1, .bias = false}));
  nn::BatchNorm2D& norm1 = add("norm1", nn::BatchNorm2D(3, {.initFactor = 0.1, .minFactor = 0.1}));
  nn::Conv2D& conv1 = add("conv1", nn::Conv2D(3, 3, {.kernel = 3, .padding = 1, .bias = false}));
  nn::BatchNorm2D& norm2 = add("norm2", nn::BatchNorm2D(3, {.initFactor = 0.1, .minFactor = 0.1}));
  nn::Conv2D& conv2 = add("conv2", nn::Conv2D(3, 3, {.kernel = 3, .padding = 1}));
  nn::Linear& head = add("head", nn::Linear(3, 3));
  using Module::forward;
  Tensor forward(const Tensor& input) override {
    const Tensor x = relu(norm1(stem(input)));
    const Tensor y = conv2(relu(norm2(conv1(x))));
    return head(mean(relu(x + y), {2, 3}));
  }
};

}  // namespace

TEST_CASE("every optimiser follows PyTorch's, step by step, in f64 and f32") {
  for (const Json& c : golden("optimisers")) {
    for (const DType dtype : {DType::F64, DType::F32}) {
      const std::string where = c.at("name").get<std::string>() + " " + std::string(name(dtype));
      CAPTURE(where);
      nn::Parameters parameters = parametersOf(c.at("parameters"), dtype);
      const auto optimizer = makeOptimizer(c.at("op").get<std::string>(), parameters, c.at("options"));
      int step = 0;
      for (const Json& s : c.at("steps")) {
        for (nn::Parameter& p : parameters) {
          p.tensor.setGrad(
              Tensor::of<double>(s.at("gradients").at(p.name).get<std::vector<double>>(), p.tensor.shape()).to(dtype));
        }
        optimizer->step();
        ++step;
        for (const nn::Parameter& p : parameters) {
          const Tensor expected =
              Tensor::of<double>(s.at("after").at(p.name).get<std::vector<double>>(), p.tensor.shape());
          CHECK_CLOSE(p.tensor, expected, toleranceOf(dtype), p.name << " after step " << step);
        }
      }
    }
  }
}

TEST_CASE("every schedule draws PyTorch's curve") {
  for (const Json& c : golden("schedules")) {
    CAPTURE(c.at("name").get<std::string>());
    const auto rates = c.at("rates").get<std::vector<double>>();
    const auto curve =
        makeSchedule(c.at("op").get<std::string>(), c.at("options")).curve(static_cast<i64>(rates.size()));
    REQUIRE(curve.size() == rates.size());
    for (std::size_t i = 0; i < rates.size(); ++i) {
      CAPTURE(i);
      // PyTorch multiplies its way along some curves: a rounding a step, and cosines that end at 1e-17 instead of 0.
      CHECK(std::abs(c.at("base").get<double>() * curve[i] - rates[i]) <= 1e-13 * rates[i] + 1e-16);
    }
  }
}

TEST_CASE("reduction on a plateau follows PyTorch's, and goes on from a saved state") {
  for (const Json& c : golden("plateau")) {
    CAPTURE(c.at("name").get<std::string>());
    const Json& o = c.at("options");
    optim::PlateauOptions options{.factor = o.at("factor").get<double>(),
                                  .patience = o.at("patience").get<i64>(),
                                  .relative = !o.contains("relative"),
                                  .maximize = flag(o, "maximize"),
                                  .minFactor = field(o, "minFactor", 0)};
    options.threshold = field(o, "threshold", options.threshold);
    if (o.contains("cooldown")) options.cooldown = o.at("cooldown").get<i64>();
    optim::ReduceOnPlateau plateau(options);
    for (std::size_t i = 0; i < c.at("metrics").size(); ++i) {
      CAPTURE(i);
      CHECK(plateau.update(c.at("metrics")[i].get<double>()) ==
            doctest::Approx(c.at("factors")[i].get<double>()).epsilon(1e-14));
      optim::ReduceOnPlateau resumed(options);
      resumed.restore(Value::parse(plateau.state().dump()));
      CHECK(resumed.state() == plateau.state());
      std::swap(plateau, resumed);
    }
  }
}

TEST_CASE("clipping by norm and by value gives PyTorch's gradients") {
  for (const Json& c : golden("clipping")) {
    CAPTURE(c.at("name").get<std::string>());
    nn::Parameters parameters = parametersOf(c.at("before"), DType::F64);
    for (nn::Parameter& p : parameters) p.tensor.setGrad(p.tensor.detach().clone());
    const double limit = c.at("options").at("max").get<double>();
    if (c.at("op") == "norm") {
      CHECK(optim::clipGradNorm(parameters, limit) == doctest::Approx(c.at("norm").get<double>()).epsilon(1e-12));
    } else {
      optim::clipGradValue(parameters, limit);
    }
    // PyTorch divides by norm + 1e-6, which shows in the seventh digit.
    for (const nn::Parameter& p : parameters)
      CHECK_CLOSE(p.tensor.grad(), tensorOf(c.at("after").at(p.name)), (Tolerance{1e-6, 0}), p.name);
  }
}

TEST_CASE("nets train as PyTorch's do: losses of every step, parameters, running statistics, outputs") {
  for (const Json& c : golden("training")) {
    const bool plain = c.at("name").get<std::string>().starts_with("plain");
    for (const DType dtype : {DType::F64, DType::F32}) {
      const std::string where = c.at("name").get<std::string>() + " " + std::string(name(dtype));
      CAPTURE(where);
      // Rounding grows over six steps, most in Adam, whose first steps divide gradients by their own size.
      const Tolerance tolerance = dtype == DType::F64 ? Tolerance{1e-9, 1e-10} : Tolerance{2e-3, 5e-4};
      std::unique_ptr<nn::Module> net;
      if (plain)
        net = std::make_unique<Plain>();
      else
        net = std::make_unique<Residual>();
      net->to(dtype);
      REQUIRE(loadState(*net, c.at("state")) == "");
      const auto optimizer =
          plain ? makeOptimizer("SGD", net->namedParameters(),
                                Json{{"lr", 0.1}, {"momentum", 0.9}, {"nesterov", true}, {"weightDecay", 5e-4}})
                : makeOptimizer("AdamW", net->namedParameters(), Json{{"lr", 0.01}, {"weightDecay", 0.05}});
      const Tensor x = tensorOf(c.at("x"), dtype), target = tensorOf(c.at("target"));
      int step = 0;
      for (const Json& expected : c.at("losses")) {
        CAPTURE(step++);
        const Tensor loss = nn::crossEntropy((*net)(x), target, {.labelSmoothing = plain ? 0.0 : 0.1});
        CHECK(std::abs(loss.item() - expected.get<double>()) <= tolerance.absolute + tolerance.relative * loss.item());
        optimizer->zeroGrad();
        loss.backward();
        optimizer->step();
      }
      CHECK(stateDifference(*net, c.at("stateAfter"), tolerance) == "");
      net->eval();
      const NoGrad guard;
      CHECK_CLOSE((*net)(x), tensorOf(c.at("y")), tolerance, "output");
    }
  }
}
