#include <doctest/doctest.h>

#include <ember/nn/Pattern.h>

using ember::nn::matches;
using ember::nn::nearestHint;
using ember::nn::nearestName;

TEST_CASE("a star stands for any run of characters, dots and nothing included") {
  CHECK(matches("*", ""));
  CHECK(matches("*", "features.0.weight"));
  CHECK(matches("features.*", "features.0.weight"));
  CHECK(matches("features.*", "features."));
  CHECK(matches("*.bias", "features.0.bias"));
  CHECK(matches("*.0.*", "features.0.weight"));
  CHECK(matches("a*b*c", "abc"));
  CHECK(matches("a*b*c", "a.b.b.c"));
  CHECK(matches("**", "x"));
  CHECK(matches("*a*a", "aa"));
  CHECK(matches("", ""));
  CHECK(matches("fc.weight", "fc.weight"));
}

TEST_CASE("everything else must be equal, from the first character to the last") {
  CHECK(!matches("", "a"));
  CHECK(!matches("features.*", "features"));
  CHECK(!matches("features.*", "my.features.0"));
  CHECK(!matches("*.bias", "features.0.bias2"));
  CHECK(!matches("*.bias", "bias"));
  CHECK(!matches("a*b*c", "a.c"));
  CHECK(!matches("*a*a", "a"));
  CHECK(!matches("fc.weight", "fc.Weight"));
  CHECK(!matches("fc.?eight", "fc.weight"));
  CHECK(!matches("[f]c", "fc"));
}

TEST_CASE("matching takes no exponential time") {
  const std::string name(2000, 'a');
  CHECK(!matches("*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
  CHECK(matches("*a*a*a*a*a*a*a*a*a*a*a*a*a", name));
}

TEST_CASE("the hint names the known name that the fewest edits reach") {
  CHECK(nearestHint("conv3", {"fc", "conv1", "norm"}) == "did you mean \"conv1\"?");
  CHECK(nearestHint("fc.wieght", {"fc.bias", "fc.weight", "conv.weight"}) == "did you mean \"fc.weight\"?");
  CHECK(nearestHint("sgd", {"Adam", "SGD"}) == "did you mean \"SGD\"?");
  CHECK(nearestHint("weight", {"0.bias", "0.weight"}) == "did you mean \"0.weight\"?");
}

TEST_CASE("of endless lists of long names only the first are compared") {
  const std::string wanted(1000, 'a'), near = wanted + "b";
  std::vector<std::string> known(100, std::string(1000, 'x'));
  known.push_back(near);
  CHECK_FALSE(nearestName(wanted, known).has_value());
  known.insert(known.begin(), near);
  CHECK(nearestName(wanted, known) == near);
}

TEST_CASE("a star of a pattern costs no edits") {
  CHECK(nearestHint("haed.*", {"features.0.weight", "head.weight"}) == "did you mean \"head.weight\"?");
  CHECK(nearestHint("*.wieght", {"head.bias", "head.weight"}) == "did you mean \"head.weight\"?");
}

TEST_CASE("where no name is near, the hint says which there are instead of guessing") {
  CHECK(nearestHint("transformer", {"fc", "conv1"}) == "known: \"fc\", \"conv1\"");
  CHECK(nearestHint("2", {"0", "1"}) == "known: \"0\", \"1\"");
  CHECK(nearestHint("", {"fc"}) == "known: \"fc\"");
  CHECK(nearestHint("*", {"fc"}) == "did you mean \"fc\"?");  // a star alone is every name
  CHECK(nearestHint("xyz", {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}) ==
        "known: \"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\" and 2 more");
  CHECK(nearestHint("anything", {}) == "there is none to choose from");
  CHECK(!nearestName("transformer", {"fc", "conv1"}));
  CHECK(nearestName("con1", {"fc", "conv1"}) == "conv1");
}
