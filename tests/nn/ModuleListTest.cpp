#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/State.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

/// Calls what it holds in an order of its own.
struct Owner : nn::Module {
  using Module::forward;
  nn::ModuleList& heads = add("heads", nn::ModuleList(nn::Linear(2, 2), nn::Linear(2, 3)));
  nn::ModuleDict& parts = add("parts", nn::ModuleDict());
  Owner() {
    parts.add("left", nn::Linear(2, 2));
    parts.add("right", nn::ReLU());
  }
  Tensor forward(const Tensor& x) override { return heads[1](parts["right"](parts["left"](heads[0](x)))); }
};

}  // namespace

TEST_CASE("a list and a dictionary hold modules by number and by name") {
  Owner owner;
  CHECK(toString(owner(Tensor::ones({4, 2})).shape()) == "[4, 3]");
  std::vector<std::string> names;
  for (const nn::Parameter& p : owner.namedParameters()) names.push_back(p.name);
  CHECK(names == std::vector<std::string>{"heads.0.weight", "heads.0.bias", "heads.1.weight", "heads.1.bias",
                                          "parts.left.weight", "parts.left.bias"});
  CHECK(owner.heads.size() == 2);
  CHECK(owner.parts.size() == 2);
  CHECK(owner.parts.names() == std::vector<std::string>{"left", "right"});
  CHECK(owner.parts.has("left"));
  CHECK_FALSE(owner.parts.has("up"));
  owner.eval();
  CHECK_FALSE(owner.heads[0].training());
  CHECK(owner.summary({1, 2}).rows.size() == 5);  // the owner, and the four modules that ran
}

TEST_CASE("they are rebuilt, cloned, saved and loaded by themselves") {
  const TempFolder folder;
  seed(3);
  nn::ModuleList list(nn::Linear(2, 2), nn::Sequential(nn::ReLU()));
  nn::ModuleDict dict;
  dict.add("left", nn::Linear(2, 2));
  for (nn::Module* holder : {static_cast<nn::Module*>(&list), static_cast<nn::Module*>(&dict)}) {
    CHECK(nn::build(holder->architecture())->architecture() == holder->architecture());
    const auto copy = holder->clone();
    CHECK(stateDifference(*copy, *holder) == "");
    save(folder / "holder.json", *holder);
    const auto again = nn::load(folder / "holder.json");
    CHECK(again->typeName() == holder->typeName());
    CHECK(stateDifference(*again, *holder) == "");
  }
}

TEST_CASE("what is not there is an error with the nearest name, and so is running them") {
  nn::ModuleList list(nn::Linear(2, 2));
  nn::ModuleDict dict;
  dict.add("left", nn::Linear(2, 2));
  CHECK(headlineOf<ValueError>([&] { list[1]; }) == "[ModuleList] ValueError: no child 1, there are 1");
  const std::string message = messageOf([&] { dict["lift"]; });
  CHECK(contains(message, "[ModuleDict] ValueError: no module \"lift\""));
  CHECK(contains(message, "did you mean \"left\"?"));
  CHECK(headlineOf<StateError>([&] { list(Tensor::ones({1, 2})); }) ==
        "[ModuleList] StateError: it holds modules and has no forward of its own");
  CHECK(headlineOf<StateError>([&] { dict(Tensor::ones({1, 2})); }) ==
        "[ModuleDict] StateError: it holds modules and has no forward of its own");
  CHECK(headlineOf<ValueError>([&] { dict.add("left", nn::ReLU()); }) ==
        "[ModuleDict] ValueError: the name \"left\" is already taken");
}
