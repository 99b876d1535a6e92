#include <thread>

#include <doctest/doctest.h>

#include <ember/autograd/Fusion.h>
#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/State.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

/// Two ways from x to y, one of them through a convolution with an activation behind.
nn::Graph residual() {
  nn::Graph net;
  net.output({"fc"});
  net.add("fc", nn::Linear(3, 2), {"pool"});
  net.add("pool", nn::GlobalAvgPool(), {"sum"});
  net.add("sum", nn::Add(), {"act", "x"});
  net.add("act", nn::ReLU(), {"conv1"});
  net.add("conv1", nn::Conv2D(3, 3, {.kernel = 3, .padding = 1}), {"x"});
  net.input("x");
  return net;
}

Tensor byHand(const nn::Graph& net, const Tensor& x) {
  const auto& conv = dynamic_cast<const nn::Conv2D&>(net.child("conv1"));
  const auto& fc = dynamic_cast<const nn::Linear&>(net.child("fc"));
  return linear(globalAvgPool(relu(conv2d(x, conv.weight, conv.bias, {.padding = 1})) + x), fc.weight, fc.bias);
}

std::vector<std::string> rowsOf(const nn::Summary& summary) {
  std::vector<std::string> paths;
  for (const nn::Summary::Row& row : summary.rows) paths.push_back(row.path);
  return paths;
}

}  // namespace

TEST_CASE("nodes added in any order run along the edges, and give what the same ops give") {
  seed(5);
  nn::Graph net = residual();
  const Tensor x = Tensor::uniform({2, 3, 4, 4});
  CHECK(sameBits(net(x), byHand(net, x)));
  CHECK(rowsOf(net.summary({2, 3, 4, 4})) ==
        std::vector<std::string>{"", "conv1", "act", "sum", "pool", "fc"});
  CHECK(net.toString().starts_with("Graph(x -> fc)\n  fc: Linear(3 -> 2)\n"));
}

TEST_CASE("a layer and the activation that alone reads it run as one, unless someone watches") {
  seed(5);
  nn::Graph net = residual();
  const Tensor x = Tensor::uniform({2, 3, 4, 4});
  const auto layers = [&] {
    Trace trace;
    net(x);
    return trace.table();
  };
  CHECK_FALSE(contains(layers(), "ReLU"));
  const bool before = fusionEnabled();
  setFusion(false);
  CHECK(contains(layers(), "ReLU"));
  setFusion(before);
  int seen = 0;
  net.child("conv1").registerForwardHook([&](nn::Module&, const Tensors&, const Tensors&) { ++seen; });
  CHECK(sameBits(net(x), byHand(net, x)));
  CHECK(seen == 1);
  // A second reader, or an output, sees what the layer itself gave.
  nn::Graph two;
  two.input("x");
  two.add("conv", nn::Conv2D(3, 3), {"x"});
  two.add("act", nn::ReLU(), {"conv"});
  two.output({"act", "conv"});
  const Tensors both = two(Tensors{x});
  CHECK(sameBits(both[0], relu(both[1])));
  CHECK_FALSE(sameBits(both[0], both[1]));
}

TEST_CASE("several inputs and outputs, one tensor of several, and an input that is an output") {
  nn::Graph net;
  net.input("a").input("b");
  net.add("split", nn::Split({.sizes = {1, 2}}), {"a"});
  net.add("swap", nn::Concat(), {"split:1", "split:0"});
  net.add("all", nn::Concat(), {"split", "b"});
  net.output({"swap", "all", "b", "split"});
  const Tensor a = Tensor::of({1, 2, 3}).reshape({1, 3}), b = Tensor::of({4}).reshape({1, 1});
  const Tensors y = net(Tensors{a, b});
  REQUIRE(y.size() == 5);
  CHECK(y[0].toVector<double>() == std::vector<double>{2, 3, 1});
  CHECK(y[1].toVector<double>() == std::vector<double>{1, 2, 3, 4});
  CHECK(y[2].toVector<double>() == std::vector<double>{4});
  CHECK(y[4].toVector<double>() == std::vector<double>{2, 3});
  CHECK(headlineOf<StateError>([&] { net(Tensors{a}); }) == "[Graph] StateError: forward takes 2 tensors, got 1");
  net.add("third", nn::Identity(), {"split:2"});
  net.output({"third", "swap", "all"});
  CHECK(headlineOf<StateError>([&] { net(Tensors{a, b}); }) ==
        "[Graph] StateError: the node \"third\" reads \"split:2\", but that node gave 2 tensors");
}

TEST_CASE("gradients flow through every edge") {
  seed(6);
  nn::Graph net = residual();
  net.to(DType::F64);
  CHECK(gradcheck([&](const Tensor& x) { return net(x); }, draw("x", {1, 3, 3, 3})) <= 1);
  net(draw("x", {1, 3, 3, 3})).sum().backward();
  for (const nn::Parameter& p : net.namedParameters()) CHECK(p.tensor.grad().defined());
}

TEST_CASE("a cycle is named from node to node") {
  nn::Graph net;
  net.input("x");
  net.add("a", nn::Add(), {"x", "c"});
  net.add("b", nn::ReLU(), {"a"});
  net.add("c", nn::ReLU(), {"b"});
  net.output({"c"});
  CHECK(headlineOf<ValueError>([&] { net.check(); }) ==
        "[Graph] ValueError: the nodes make a cycle: a -> b -> c -> a");
  CHECK_THROWS_AS(net(Tensor::ones({1})), ValueError);
  nn::Graph self;
  self.add("a", nn::ReLU(), {"a"});
  self.output({"a"});
  CHECK(headlineOf<ValueError>([&] { self.check(); }) == "[Graph] ValueError: the nodes make a cycle: a -> a");
}

TEST_CASE("edges from nowhere and to nowhere are named, with the nearest name") {
  nn::Graph net = residual();
  net.output({"fcc"});
  std::string message = messageOf([&] { net(Tensor::ones({1, 3, 4, 4})); });
  CHECK(contains(message, "[Graph] ValueError: the output reads \"fcc\", which is not there"));
  CHECK(contains(message, "did you mean \"fc\"?"));
  net.output({"fc"});
  net.check();
  net.add("extra", nn::ReLU(), {"conv2"});
  message = messageOf([&] { net.check(); });
  CHECK(contains(message, "the node \"extra\" reads \"conv2\", which is not there"));
  CHECK(contains(message, "did you mean \"conv1\"?"));

  nn::Graph dead = residual();
  dead.add("dead", nn::ReLU(), {"conv1"});
  CHECK(headlineOf<ValueError>([&] { dead.check(); }) == "[Graph] ValueError: the node \"dead\" leads to no output");
  nn::Graph unread = residual();
  unread.input("y");
  CHECK(headlineOf<ValueError>([&] { unread.check(); }) == "[Graph] ValueError: the input \"y\" leads to no output");
  CHECK(headlineOf<ValueError>([] { nn::Graph().check(); }) == "[Graph] ValueError: there are no outputs");
  nn::Graph child = residual();
  child.addChild("loose", std::make_unique<nn::ReLU>());
  CHECK(headlineOf<ValueError>([&] { child.check(); }) == "[Graph] ValueError: the node \"loose\" reads nothing");
}

TEST_CASE("names are checked when they are given") {
  nn::Graph net;
  net.input("x");
  CHECK(headlineOf<ValueError>([&] { net.input("x"); }) == "[Graph] ValueError: the name \"x\" is already taken");
  CHECK(headlineOf<ValueError>([&] { net.add("x", nn::ReLU(), {"x"}); }) ==
        "[Graph] ValueError: the name \"x\" is that of an input");
  CHECK(headlineOf<ValueError>([&] { net.add("a:1", nn::ReLU(), {"x"}); }) ==
        "[Graph] ValueError: the name \"a:1\" has a dot or a colon");
  CHECK(headlineOf<ValueError>([&] { net.input("a.b"); }) ==
        "[Graph] ValueError: the name \"a.b\" has a dot or a colon");
  CHECK(headlineOf<ValueError>([&] { net.input(""); }) == "[Graph] ValueError: the name \"\" is empty");
  CHECK(headlineOf<ValueError>([&] { net.add("a", nn::ReLU(), {}); }) ==
        "[Graph] ValueError: the node \"a\" reads nothing");
  net.add("a", nn::ReLU(), {"x"});
  CHECK(headlineOf<ValueError>([&] { net.add("a", nn::Tanh(), {"x"}); }) ==
        "[Graph] ValueError: the name \"a\" is already taken");
  CHECK(headlineOf<ValueError>([&] { net.input("a"); }) == "[Graph] ValueError: the name \"a\" is already taken");
  for (const char* wrong : {"a:", "a:-1", "a:b", "a:1x", "a:99999999999999999999"}) {
    net.output({wrong});
    CHECK(contains(messageOf([&] { net.check(); }), "behind the colon stands the number of the tensor"));
  }
  net.output({"a"});
  CHECK(net(Tensor::of({-1, 2})).toVector<double>() == std::vector<double>{0, 2});
}

TEST_CASE("arguments describe nodes and edges; file and clone give the same net") {
  const TempFolder folder;
  seed(7);
  nn::Graph net = residual();
  const Tensor x = Tensor::uniform({2, 3, 4, 4});
  const Value args = net.args();
  CHECK(args.at("inputs").dump() == "[\"x\"]");
  CHECK(args.at("outputs").dump() == "[\"fc\"]");
  CHECK(args.at("nodes")[2].dump() == R"({"name": "sum", "type": "Add", "args": {}, "from": ["act", "x"]})");
  CHECK(net.namedParameters()[2].name == "conv1.weight");
  save(folder / "graph.json", net);
  const auto again = nn::load(folder / "graph.json");
  CHECK(again->architecture() == net.architecture());
  CHECK(sameBits((*again)(x), net(x)));
  const auto copy = net.clone();
  CHECK(stateDifference(*copy, net) == "");
  CHECK(sameBits((*copy)(x), net(x)));
  nn::Graph moved = std::move(net);
  CHECK(sameBits(moved(x), (*copy)(x)));
}

TEST_CASE("the picture has a box for each node and an arrow for each edge") {
  nn::Graph net;
  net.input("x");
  net.add("split", nn::Split({.parts = 2}), {"x"});
  net.add("fc", nn::Linear(2, 3), {"split:1"});
  net.output({"fc"});
  CHECK(net.toDot() ==
        "digraph \"Graph\" {\n"
        "  node [shape=box];\n"
        "  \"x\" [shape=oval];\n"
        "  \"split\" [label=\"split\\nSplit 2 parts, axis 1\"];\n"
        "  \"fc\" [label=\"fc\\nLinear 2 -> 3\"];\n"
        "  \"x\" -> \"split\";\n"
        "  \"split\" -> \"fc\" [label=\"1\"];\n"
        "  \"output:0\" [shape=oval, label=\"output\"];\n"
        "  \"fc\" -> \"output:0\";\n"
        "}\n");
}

TEST_CASE("errors inside a node say where; graphs nest in graphs and chains") {
  nn::Graph net;
  net.input("x");
  net.add("body", residual(), {"x"});
  net.add("head", nn::Sequential(nn::Linear(2, 2), nn::ReLU()), {"body"});
  net.output({"head"});
  CHECK(toString(net(Tensor::ones({1, 3, 4, 4})).shape()) == "[1, 2]");
  CHECK(contains(messageOf([&] { net(Tensor::ones({1, 2, 4, 4})); }), "body.conv1 (Conv2D 3 -> 3, 3x3, padding 1)"));
  net.eval();
  CHECK_FALSE(net.child("body.conv1").training());
}

TEST_CASE("a long chain is no deep recursion, and a tensor is let go when its last reader has it") {
  nn::Graph net;
  net.input("x");
  std::string last = "x";
  for (int i = 0; i < 3000; ++i) {  // backwards, so that a walk along the edges starts at the far end
    const std::string name = "n" + std::to_string(2999 - i);
    net.add(name, nn::Identity(), {i == 2999 ? "x" : "n" + std::to_string(2998 - i)});
  }
  net.output({"n2999"});
  CHECK(net(Tensor::of({3})).item() == 3);

  nn::Graph thrifty;
  thrifty.input("x");
  thrifty.add("a", nn::Sigmoid(), {"x"});
  thrifty.add("b", nn::Sigmoid(), {"a"});
  thrifty.add("c", nn::Sigmoid(), {"b"});
  thrifty.add("d", nn::Sigmoid(), {"c"});
  thrifty.output({"d"});
  const NoGrad guard;
  const Tensor x = Tensor::ones({1 << 16});
  const i64 before = memory::stats().nowBytes;
  memory::resetPeak();
  thrifty(x);
  CHECK(memory::stats().peakBytes - before < 3 * (1 << 16) * 4);  // two at a time
}

TEST_CASE("forward in eval mode runs from several threads, the first one included") {
  seed(8);
  nn::Graph net = residual();
  net.eval();
  const Tensor x = Tensor::uniform({2, 3, 4, 4});
  std::vector<Tensor> results(4);
  std::vector<std::thread> threads;
  for (Tensor& result : results)
    threads.emplace_back([&net, &x, &result] {
      const NoGrad guard;
      result = net(x);
    });
  for (std::thread& thread : threads) thread.join();
  for (const Tensor& result : results) CHECK(sameBits(result, results[0]));
}
