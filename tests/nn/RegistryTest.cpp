#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

struct Scaled : nn::Module {
  explicit Scaled(int n, double f = 1) : size(n), factor(f) {}
  int size;
  double factor;
  nn::Linear& inner = add("inner", nn::Linear(size, size));
  Tensor forward(const Tensor& x) override { return inner(x) * factor; }
  nn::Args args() const override { return {{"size", size}, {"factor", factor}}; }
};
struct Other : nn::Module {};
/// Registered by no test: a registration holds for the whole program.
struct Unknown : nn::Module {
  nn::Linear& inner = add("inner", nn::Linear(2, 2));
};

Scaled makeScaled(const nn::Args& a) { return Scaled(a.get<int>("size"), a.get<double>("factor")); }

}  // namespace

TEST_CASE("a registered type is rebuilt from its arguments, alone and inside library modules") {
  nn::registerModule("acme.Scaled", makeScaled);
  seed(1);
  nn::Sequential net(Scaled(2, 3), nn::ReLU());
  CHECK(net.child(0).typeName() == "acme.Scaled");
  CHECK(nn::registeredName(typeid(Scaled)) == "acme.Scaled");
  const auto again = nn::build(net.architecture());
  const auto& scaled = dynamic_cast<const Scaled&>(again->child(0));
  CHECK(scaled.size == 2);
  CHECK(scaled.factor == 3);
  const auto copy = net.clone();
  const Tensor x = Tensor::uniform({3, 2});
  CHECK(sameBits((*copy)(x), net(x)));
  CHECK(
      net.architecture().dump() ==
      R"({"type": "Sequential", "args": {"layers": [{"name": "0", "type": "acme.Scaled", "args": {"size": 2, "factor": 3.0}}, )"
      R"({"name": "1", "type": "ReLU", "args": {}}]}})");
}

TEST_CASE("a type that is not registered is described by its children") {
  CHECK(
      Unknown().architecture().dump() ==
      R"({"type": "Unknown", "children": [{"name": "inner", "module": {"type": "Linear", "args": {"in": 2, "out": 2, "bias": true}}}]})");
  CHECK(nn::registeredName(typeid(Unknown)).empty());
  // A file of it names a type that may be known elsewhere, but not how it was made.
  const std::string message = messageOf([] { nn::build({{"type", "Linear"}, {"children", Value::array()}}); });
  CHECK(contains(message, "was not registered when it was saved"));
}

TEST_CASE("an unknown type is named with the nearest and both ways out") {
  const std::string message = messageOf([] { nn::build({{"type", "BatchNorm2d"}, {"args", Value::object()}}); });
  CHECK(contains(message, "[build] ValueError: unknown module type \"BatchNorm2d\""));
  CHECK(contains(message, "did you mean \"BatchNorm2D\"?"));
  CHECK(contains(message, "nn::registerModule(\"BatchNorm2d\", factory)"));
  CHECK(contains(message, "load() the file into it"));
  CHECK(!contains(messageOf([] { nn::build({{"type", "Transformer"}, {"args", Value::object()}}); }), "did you mean"));
}

TEST_CASE("a name belongs to one type, and the same type may be registered again") {
  nn::registerModule("acme.Scaled", makeScaled);
  CHECK(headlineOf<ValueError>([] { nn::registerModule("acme.Scaled", [](const nn::Args&) { return Other(); }); }) ==
        "[registerModule] ValueError: the name \"acme.Scaled\" belongs to another type");
  CHECK(headlineOf<ValueError>([] { nn::registerModule("Linear", [](const nn::Args&) { return Other(); }); }) ==
        "[registerModule] ValueError: the name \"Linear\" belongs to another type");
  CHECK(nn::registeredName(typeid(Other)).empty());
  nn::registerModule("acme.Scaled", [](const nn::Args& a) { return Scaled(a.get<int>("size"), 7); });
  CHECK(dynamic_cast<const Scaled&>(*nn::build(Scaled(2).architecture())).factor == 7);
  nn::registerModule("acme.Scaled", makeScaled);
  CHECK(dynamic_cast<const Scaled&>(*nn::build(Scaled(2).architecture())).factor == 1);
}

TEST_CASE("empty names and factories are refused") {
  CHECK(headlineOf<ValueError>([] { nn::registerModule("", makeScaled); }) ==
        "[registerModule] ValueError: the name is empty");
  CHECK(headlineOf<ValueError>([] { nn::registerModule("acme.None", typeid(Other), nullptr); }) ==
        "[registerModule] ValueError: the factory of \"acme.None\" is empty");
  CHECK_THROWS_AS(nn::build({{"type", "acme.None"}, {"args", Value::object()}}), ValueError);
}

TEST_CASE("what is no architecture, or lacks an argument, is an error and not a crash") {
  CHECK_THROWS_AS(nn::build({}), Error);
  CHECK_THROWS_AS(nn::build(Value(3)), Error);
  CHECK_THROWS_AS(nn::build({{"type", 3}}), Error);
  CHECK_THROWS_AS(nn::build({{"type", "Linear"}, {"args", Value::object()}}), Error);
  CHECK_THROWS_AS(nn::build({{"type", "Linear"}, {"args", {{"in", -1}, {"out", 2}, {"bias", true}}}}), ValueError);
  CHECK_THROWS_AS(nn::build({{"type", "Sequential"}, {"args", {{"layers", 3}}}}), Error);
}
