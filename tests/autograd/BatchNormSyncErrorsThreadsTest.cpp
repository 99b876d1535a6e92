// Batch norm over ranks that are threads: what is missing, wrong or uneven.
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/comm/InProcess.h>

#include "support/Draw.h"
#include "support/Headline.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;
using Comm = std::shared_ptr<Communicator>;

namespace {

Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

}  // namespace

TEST_CASE("no samples anywhere: y is empty and nothing changes") {
  runRanks(3, [&](Comm c) {
    const Shape shape{0, 3, 2, 2};
    const Tensor x = leaf(Tensor::empty(shape, DType::F64)), w = leaf(draw("w", {3}));
    const Tensor rm = Tensor::zeros({3}, DType::F64), rv = Tensor::ones({3}, DType::F64);
    const Tensor batches = Tensor::zeros({}, DType::I64);
    const Tensor y = batchNorm(x, w, {}, rm, rv, {.batches = batches, .syncGroup = c});
    const Tensors g = gradients({y}, {x, w}, {}, {Tensor::empty(shape, DType::F64)});
    CHECK((y.shape() == shape));
    CHECK((g[0].shape() == shape));
    CHECK(valuesOf(g[1]) == Values{0, 0, 0});
    CHECK(valuesOf(rm) == Values{0, 0, 0});
    CHECK(valuesOf(rv) == Values{1, 1, 1});
    CHECK(batches.item() == 0);
  });
}

TEST_CASE("one value a channel in all: the same error on every rank; one a rank is enough for two ranks") {
  const Tensor x = draw("x", {3, 3});
  const auto headlines = [&](const std::vector<i64>& cuts, SingleValue policy) {
    std::vector<std::string> lines(cuts.size() - 1);
    runRanks(static_cast<int>(lines.size()), [&](Comm c) {
      const auto r = static_cast<std::size_t>(c->rank());
      Tensor rm = Tensor::zeros({3}, DType::F64), rv = Tensor::ones({3}, DType::F64);
      lines[r] = headlineOf<ValueError>([&] {
        batchNorm(slice(x, 0, cuts[r], cuts[r + 1]), {}, {}, rm, rv, {.singleValuePolicy = policy, .syncGroup = c});
      });
      if (lines[r] != "nothing was thrown") CHECK(valuesOf(rv) == Values{1, 1, 1});
    });
    return lines;
  };
  const std::vector<std::string> lines = headlines({1, 1, 2, 2}, SingleValue::Error);
  CHECK(lines[0].find("[batchNorm] ValueError: expected more than 1 value per channel") == 0);
  CHECK(lines[1] == lines[0]);
  CHECK(lines[2] == lines[0]);
  for (const std::string& line : headlines({1, 1, 2, 2}, SingleValue::Zero)) CHECK(line == "nothing was thrown");
  for (const std::string& line : headlines({0, 1, 2}, SingleValue::Error)) CHECK(line == "nothing was thrown");
}

TEST_CASE("eval takes part in nothing: ranks may call it as often as they like") {
  const Tensor data = draw("x", {4, 3, 2, 2});
  const Tensor rm = draw("rm", {3}), rv = draw("rv", {3}, 0.5, 2);
  const Tensor expected = batchNorm(data, {}, {}, rm, rv, {.training = false});
  std::atomic<int> equal = 0;
  runRanks(2, [&](Comm c) {
    for (int i = 0; i <= 2 * c->rank(); ++i) {
      const Tensor x = leaf(data);
      const Tensor y = batchNorm(x, {}, {}, rm, rv, {.training = false, .syncGroup = c});
      y.sum().backward();
      if (sameBits(y, expected)) ++equal;
    }
    c->barrier();
  });
  CHECK(equal == 4);
}

TEST_CASE("a rank that throws, before the forward or before the backward, ends the others too") {
  const Tensor data = draw("x", {4, 3, 2, 2});
  for (const bool late : {false, true}) {
    std::atomic<int> ended = 0;
    CHECK_THROWS_WITH(
        runRanks(3,
                 [&](Comm c) {
                   const Tensor x = leaf(data);
                   if (c->rank() == 1 && !late) throw std::runtime_error("the disk is full");
                   const Tensor y = batchNorm(x, {}, {}, {}, {}, {.syncGroup = c});
                   if (c->rank() == 1) throw std::runtime_error("the disk is full");
                   if (messageOf([&] { y.sum().backward(); }).find("the disk is full") != std::string::npos) ++ended;
                 }),
        "the disk is full");
    CHECK(ended == (late ? 2 : 0));
  }
}

TEST_CASE("ranks with different channel counts: an error on all of them, and the statistics stay") {
  std::vector<std::string> lines(3);
  runRanks(3, [&](Comm c) {
    const i64 channels = c->rank() == 2 ? 4 : 3;
    Tensor rm = Tensor::zeros({channels}, DType::F64), rv = Tensor::ones({channels}, DType::F64);
    const auto r = static_cast<std::size_t>(c->rank());
    lines[r] = headlineOf<StateError>([&] { batchNorm(draw("x", {5, channels}), {}, {}, rm, rv, {.syncGroup = c}); });
    CHECK(largest(rm) == 0);
  });
  for (const std::string& line : lines) CHECK(line.find("calls allGather of ") != std::string::npos);
}
