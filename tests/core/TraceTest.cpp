#include <algorithm>
#include <sstream>
#include <thread>
#include <tuple>

#include <doctest/doctest.h>

#include <ember/core/TraceSpan.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

struct Span {
  std::string name, category;
  double begins, ends;
  i64 thread, takenBytes, outputBytes;
  bool within(const Span& other) const {
    return thread == other.thread && begins >= other.begins - 0.002 && ends <= other.ends + 0.002;  // rounded to ns
  }
};

std::vector<Span> spansOf(const Trace& trace) {
  const TempFolder folder;
  const std::string path = folder / "trace.json";
  trace.save(path);
  std::vector<Span> spans;
  const Value file = Value::parse(readFile(path));
  for (const Value& e : file.at("traceEvents").elements()) {
    CHECK(e.get<std::string>("ph") == "X");
    const double begins = e.get<double>("ts"), took = e.get<double>("dur");
    CHECK(begins >= 0);
    CHECK(took >= 0);
    spans.push_back({e.get<std::string>("name"), e.get<std::string>("cat"), begins, begins + took, e.get<i64>("tid"),
                     e.get<i64>({"args", "taken_bytes"}), e.get<i64>({"args", "output_bytes"})});
  }
  return spans;
}

std::vector<Span> named(const std::vector<Span>& spans, std::string_view name, std::string_view category) {
  std::vector<Span> found;
  for (const Span& span : spans) {
    if (span.name == name && span.category == category) found.push_back(span);
  }
  return found;
}

nn::Sequential smallNet() {
  return nn::Sequential(nn::Conv2D(1, 4, {.kernel = 3, .padding = 1}), nn::ReLU(), nn::Flatten(), nn::Linear(64, 3));
}

void trainingStep(nn::Module& net, optim::Optimizer& optimizer) {
  const Tensor loss = nn::crossEntropy(net(Tensor::ones({2, 1, 4, 4})), Tensor::of<i64>({0, 2}, {2}));
  optimizer.zeroGrad();
  loss.backward();
  optimizer.step();
}

}  // namespace

TEST_CASE("a training step shows layers around their ops, forward and backward, and the optimiser") {
  seed(1);
  nn::Sequential net = smallNet();
  optim::SGD sgd(net.namedParameters(), {.lr = 0.1});
  Trace trace;
  trainingStep(net, sgd);
  trace.stop();
  const auto spans = spansOf(trace);

  const auto root = named(spans, "Sequential", "layer"), linear = named(spans, "3 (Linear)", "layer");
  REQUIRE(root.size() == 1);
  REQUIRE(linear.size() == 1);
  CHECK(linear[0].within(root[0]));
  CHECK(linear[0].outputBytes == 2 * 3 * 4);
  for (const char* layer : {"0 (Conv2D)", "3 (Linear)"}) {
    const auto forward = named(spans, layer, "layer");
    REQUIRE(forward.size() == 1);
    CHECK(std::count_if(spans.begin(), spans.end(),
                        [&](const Span& s) { return s.category == "op" && s.within(forward[0]); }) >= 1);
    const auto backward = named(spans, std::string(layer) + " backward", "layer backward");
    REQUIRE(backward.size() == 1);
    CHECK(std::count_if(spans.begin(), spans.end(),
                        [&](const Span& s) { return s.category == "op backward" && s.within(backward[0]); }) >= 1);
  }
  const auto whole = named(spans, "backward", "phase");
  REQUIRE(whole.size() == 1);
  for (const Span& span : spans) {
    if (span.category == "op backward" || span.category == "layer backward") CHECK(span.within(whole[0]));
  }
  CHECK(named(spans, "optimiser step", "phase").size() == 1);
}

TEST_CASE("the table counts calls and bytes of each layer and op") {
  seed(1);
  nn::Sequential net = smallNet();
  optim::SGD sgd(net.namedParameters(), {.lr = 0.1});
  Trace trace;
  for (int i = 0; i < 3; ++i) trainingStep(net, sgd);
  trace.stop();
  const std::string table = trace.table();
  const auto lineOf = [&](const std::string& begin) {
    const auto at = table.find("\n" + begin);
    REQUIRE_MESSAGE(at != std::string::npos, begin, " in ", table);
    std::istringstream words(table.substr(at + 1 + begin.size()));
    i64 calls = 0;
    double forward = 0, backward = 0;
    words >> calls >> forward >> backward;
    return std::tuple{calls, forward, backward};
  };
  for (const char* name : {"Sequential ", "  0  Conv2D 1 -> 4, 3x3, padding 1 ", "  3  Linear 64 -> 3 "}) {
    const auto [calls, forward, backward] = lineOf(name);
    CHECK(calls == 3);
    CHECK(forward > 0);
    CHECK(backward > 0);
  }
  const auto [calls, forward, backward] = lineOf("crossEntropy ");
  CHECK(calls == 3);
  CHECK(backward > 0);
  const auto [steps, stepping, none] = lineOf("optimiser step ");
  CHECK(steps == 3);
  CHECK(none == 0);
}

TEST_CASE("an op's span tells the bytes that it took and those of its result") {
  const Tensor x = Tensor::ones({1000, 100});
  Trace trace;
  const Tensor y = exp(x);
  trace.stop();
  const auto spans = named(spansOf(trace), "exp", "op");
  REQUIRE(spans.size() == 1);
  CHECK(spans[0].outputBytes == 400'000);
  CHECK(spans[0].takenBytes >= 400'000);        // the allocator rounds up, by an eighth at most,
  CHECK(spans[0].takenBytes <= 450'000 + 512);  // to 512 bytes at least
}

TEST_CASE("an op within another one counts with that one") {
  Trace trace;
  {
    const core::TraceSpan outer(core::TraceSpan::Kind::Op, "outer");
    const core::TraceSpan inner(core::TraceSpan::Kind::Op, "inner");
  }
  trace.stop();
  CHECK(contains(trace.table(), "\nouter "));
  CHECK(!contains(trace.table(), "\ninner "));
  const auto spans = spansOf(trace);
  REQUIRE(named(spans, "inner", "op").size() == 1);
  CHECK(named(spans, "inner", "op")[0].within(named(spans, "outer", "op").at(0)));
}

TEST_CASE("nothing is traced before, between and after, nor what was under way at a stop") {
  const Tensor x = Tensor::ones({4});
  exp(x);
  Trace trace;
  sin(x);
  {
    const core::TraceSpan cut(core::TraceSpan::Kind::Op, "cut");
    trace.stop();
    trace.start();
    cos(x);
  }
  trace.stop();
  log(x);
  std::vector<std::string> names;
  for (const Span& span : spansOf(trace)) names.push_back(span.name);
  CHECK(names == std::vector<std::string>{"sin", "cos"});
}

TEST_CASE("there is one trace at a time") {
  Trace first;
  CHECK(headlineOf<StateError>([] { Trace second; }) == "[Trace] StateError: another trace is running");
  first.stop();
  Trace second;
  CHECK_THROWS_AS(first.start(), StateError);
}

TEST_CASE("results under a trace are the same bits") {
  const auto losses = [] {
    seed(3);
    nn::Sequential net = smallNet();
    optim::SGD sgd(net.namedParameters(), {.lr = 0.1, .momentum = 0.9});
    for (int i = 0; i < 4; ++i) trainingStep(net, sgd);
    return net(Tensor::ones({1, 1, 4, 4})).toVector<float>();
  };
  const auto without = losses();
  const Trace trace;
  CHECK(losses() == without);
}

TEST_CASE("threads have numbers of their own in a trace") {
  const Tensor x = Tensor::ones({4});
  Trace trace;
  exp(x);
  std::thread([&] { sin(x); }).join();
  trace.stop();
  const auto spans = spansOf(trace);
  REQUIRE(spans.size() == 2);
  CHECK(spans[0].thread != spans[1].thread);
}

TEST_CASE("the file holds the first events up to the limit and says how many are missing, the table counts all") {
  const Tensor x = Tensor::ones({4});
  Trace trace({.events = 2});
  for (int i = 0; i < 5; ++i) exp(x);
  trace.stop();
  const TempFolder folder;
  trace.save(folder / "trace.json");
  const Value file = Value::parse(readFile(folder / "trace.json"));
  CHECK(file.at("traceEvents").size() == 2);
  CHECK(file.get<i64>({"otherData", "dropped_events"}) == 3);
  const std::string table = trace.table(), line = table.substr(table.find("\nexp"));
  CHECK(std::stoi(line.substr(4)) == 5);
}

TEST_CASE("an op that throws ends its span") {
  Trace trace;
  CHECK_THROWS_AS(custom("bad", {Tensor::ones({2})},
                         [](FunctionContext&, const Tensors&) -> Tensors { throw ValueError("bad", "no"); }, {}),
                  ValueError);
  exp(Tensor::ones({2}));
  trace.stop();
  CHECK(contains(trace.table(), "\nexp "));  // not taken for a part of `bad`
}

TEST_CASE("a trace that cannot be written says where") {
  Trace trace;
  CHECK(contains(messageOf<IoError>([&] { trace.save("no-such-folder/trace.json"); }), "no-such-folder"));
}
