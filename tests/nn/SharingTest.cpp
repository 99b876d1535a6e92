// Tensors with several names (M4): counted, stepped and saved once, with a list of the other names; shared again after
// a load.
#include <doctest/doctest.h>

#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/State.h"
#include "support/Untouched.h"

using namespace ember;
using namespace ember::test;

namespace {

/// An autoencoder whose way back uses the weights of the way in, or has its own.
struct Tied : nn::Module {
  explicit Tied(bool shared) : ties(shared) {
    back = addParameter("back", ties ? in.weight : Tensor::full({3, 2}, 0.5));
    table = addBuffer("table", Tensor::of<i64>({1, 2, 3}));
    same = addBuffer("same", ties ? table : Tensor::of<i64>({1, 2, 3}));
    flags = addBuffer("flags", Tensor::of({1, 0}, DType::Bool));
    bytes = addBuffer("bytes", Tensor::of({-7, 100}, DType::I8));
  }
  bool ties;
  nn::Linear& in = add("in", nn::Linear(2, 3));
  Tensor back, table, same, flags, bytes;
  Tensor forward(const Tensor& x) override { return matmul(in(x), back); }
  nn::Args args() const override { return {{"ties", ties}}; }
};

void registerTied() {
  nn::registerModule("Tied", [](const nn::Args& a) { return Tied(a.get<bool>("ties")); });
}

Tied tied(bool shared = true) {
  seed(4);
  Tied net(shared);
  net(Tensor::ones({5, 2}));
  return net;
}

}  // namespace

TEST_CASE("a tensor with two names is listed, counted and stepped once, under the first (M4)") {
  Tied net = tied();
  CHECK(net.namedParameters().size() == 2);
  CHECK(net.namedParameters()[0].name == "back");
  CHECK(net.namedBuffers().size() == 3);
  CHECK(net.parameterCount() == 6 + 3);
  CHECK(net.aliases() == std::vector<std::pair<std::string, std::string>>{{"in.weight", "back"}, {"same", "table"}});
  CHECK(tied(false).aliases().empty());
  CHECK(&net.parameterSettings("in.weight") == &net.parameterSettings("back"));
  optim::SGD sgd(net.namedParameters(), {.lr = 1});
  const std::vector<float> before = net.back.toVector<float>();
  net.back.setGrad(Tensor::ones({3, 2}));
  sgd.step();
  CHECK(net.back.toVector<float>()[0] == before[0] - 1);
}

TEST_CASE("shared tensors are saved once, with a list of their other names, and are shared again after a load (M4)") {
  registerTied();
  const TempFolder folder;
  Tied net = tied();
  net.freeze("back");
  save(folder / "net.json", net);
  const io::Checkpoint file = io::readCheckpoint(folder / "net.json");
  CHECK(file.tensors.size() == 5);
  CHECK(file.extra.at("aliases").dump() == R"({"in.weight": "back", "same": "table"})");
  CHECK_FALSE(file.selfTest.isNull());

  const auto again = nn::load(folder / "net.json");
  CHECK(stateDifference(net, *again) == "");  // frozen parameters, bool and integer buffers included
  CHECK(again->aliases() == net.aliases());
  auto& built = dynamic_cast<Tied&>(*again);
  CHECK(built.back.impl() == built.in.weight.impl());
  CHECK(built.table.impl() == built.same.impl());
  {
    const NoGrad guard;
    built.back.fill_(3);
  }
  CHECK(built.in.weight.toVector<float>() == std::vector<float>(6, 3));
  Tied other(true);
  load(folder / "net.json", other);
  CHECK(other.in.weight.toVector<float>() == net.back.toVector<float>());
  save(folder / "again.json", *nn::load(folder / "net.json"));
  CHECK(readFile(folder / "again.json") == readFile(folder / "net.json"));
  CHECK(net.clone()->aliases() == net.aliases());
}

TEST_CASE("a file that shares what the net does not is refused; without strict both get the values") {
  const TempFolder folder;
  Tied net = tied();
  save(folder / "net.json", net);
  Tied apart = tied(false);
  const std::string message =
      refusal({apart, folder}, [&] { load(folder / "net.json", apart, {.compareModel = false}); });
  CHECK_MESSAGE(contains(message, "2 shared otherwise"), message);
  CHECK(contains(message, "\"back\" and \"in.weight\" are one tensor in the file, two in the net"));
  load(folder / "net.json", apart, {.strict = false});
  CHECK(apart.back.toVector<float>() == net.back.toVector<float>());
  CHECK(apart.in.weight.toVector<float>() == net.back.toVector<float>());
}

TEST_CASE("a file that has a shared tensor twice is taken if it says the same both times") {
  const TempFolder folder;
  Tied apart = tied(false), net = tied();
  save(folder / "net.json", apart);
  const std::string message = refusal({net, folder}, [&] { load(folder / "net.json", net, {.compareModel = false}); });
  CHECK_MESSAGE(contains(message, "\"back\" and \"in.weight\" are one tensor in the net, two with different values"),
                message);
  CHECK(contains(message, "1 shared otherwise"));  // the tables are equal
  CHECK_NOTHROW(load(folder / "net.json", net, {.only = "flags", .compareModel = false}));  // those two are not asked for
  {
    const NoGrad guard;
    apart.in.weight.copy_(apart.back);
  }
  save(folder / "net.json", apart);
  load(folder / "net.json", net, {.compareModel = false});
  CHECK(net.in.weight.toVector<float>() == apart.back.toVector<float>());
}
