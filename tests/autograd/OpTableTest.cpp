// Walks autograd/Ops.def: every op gets every check with every sample of tests/autograd/OpSamples.cpp.
#include <algorithm>
#include <functional>
#include <set>

#include <doctest/doctest.h>
#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>
#include <fmt/format.h>

#include "autograd/OpSamples.h"
#include "support/Draw.h"
#include "support/Golden.h"

using namespace ember;
using namespace ember::test;

namespace {

struct TableRow {
  std::string op;
  int derivatives;
};

const std::vector<TableRow> table = {
#define EMBER_OP(name, derivatives) {#name, derivatives},
#include <ember/autograd/Ops.def>
#undef EMBER_OP
};

/// Calls check(op, derivatives, sample) for all samples of all rows that do not skip `check`. `applies` says whether a
/// sample can serve; a row where none can and that gives no reason fails.
void walk(
    Check check, const std::function<void(const TableRow&, const OpSample&)>& body,
    const std::function<bool(const OpSample&)>& applies = [](const OpSample&) { return true; }) {
  for (const TableRow& row : table) {
    const auto found = opSamples().find(row.op);
    if (found == opSamples().end()) continue;  // a test of its own reports it
    if (const auto skip = found->second.skips.find(check); skip != found->second.skips.end()) {
      fmt::print("{} skips {}: {}\n", row.op, name(check), skip->second);
      CHECK_MESSAGE(skip->second.size() > 10, row.op << " skips " << name(check) << " without a reason");
      continue;
    }
    int ran = 0;
    for (const OpSample& sample : found->second.samples) {
      if (!applies(sample)) continue;
      const std::string where = row.op + ", " + sample.name;
      CAPTURE(where);
      try {
        body(row, sample);
      } catch (const std::exception& error) {
        FAIL_CHECK(where << " threw " << std::string(error.what()));
      }
      ++ran;
    }
    CHECK_MESSAGE(ran > 0, row.op << " has no sample for " << name(check) << " and no reason to skip it");
  }
}

bool contains(const std::vector<int>& list, std::size_t i) {
  return std::find(list.begin(), list.end(), static_cast<int>(i)) != list.end();
}

bool differentiable(const OpSample& sample, std::size_t i) {
  return sample.inputs[i].defined() && isFloating(sample.inputs[i].dtype()) && !contains(sample.constant, i);
}

/// Copies of the operands, changed by `change`; those that the op differentiates are leaves that require a gradient.
Tensors leaves(const OpSample& sample, bool grad, const std::function<Tensor(const Tensor&)>& change = {}) {
  Tensors result;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    Tensor t = sample.inputs[i].defined() ? sample.inputs[i].clone() : Tensor();
    if (t.defined() && change) t = change(t);
    if (grad && differentiable(sample, i)) t.setRequiresGrad();
    result.push_back(t);
  }
  return result;
}

/// Result and gradients of one run, the latter for a fixed gradient of the result.
struct Outcome {
  Tensor y;
  Tensors gradients;
};

Outcome run(const TableRow& row, const OpSample& sample, const Tensors& inputs) {
  Outcome outcome{sample.run(inputs), {}};
  if (row.derivatives == 0) return outcome;
  outcome.y.backward({.gradient = draw("upstream", outcome.y.shape()).to(outcome.y.dtype())});
  for (std::size_t i = 0; i < inputs.size(); ++i)
    outcome.gradients.push_back(differentiable(sample, i) ? inputs[i].grad() : Tensor());
  return outcome;
}

void checkSame(const Outcome& actual, const Outcome& expected, const Tolerance& tolerance) {
  CHECK_CLOSE(actual.y, expected.y, tolerance, "result");
  for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
    if (expected.gradients[i].defined())
      CHECK_CLOSE(actual.gradients[i], expected.gradients[i], tolerance, "gradient of operand " << i);
  }
}

/// The operands that the op differentiates, and the op as a function of them alone.
Tensors differentiated(const OpSample& sample) {
  Tensors result;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    if (differentiable(sample, i)) result.push_back(sample.inputs[i]);
  }
  return result;
}

std::function<Tensor(const Tensors&)> functionOf(const OpSample& sample) {
  return [&sample](const Tensors& arguments) {
    Tensors inputs = sample.inputs;
    std::size_t next = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (differentiable(sample, i)) inputs[i] = arguments[next++];
    }
    return sample.run(inputs);
  };
}

bool hasSpatial(const OpSample& sample) {
  return std::any_of(sample.inputs.begin(), sample.inputs.end(),
                     [](const Tensor& t) { return t.defined() && t.rank() >= 3; });
}

/// Checks that the call throws a StateError whose text begins with "[op]".
void checkRefused(const std::string& op, const std::function<void()>& call, const char* what) {
  try {
    call();
    FAIL_CHECK("took " << what);
  } catch (const StateError& error) {
    const std::string text = error.what();
    CHECK_MESSAGE(text.starts_with("[" + op + "] StateError: "), text);
  }
}

}  // namespace

TEST_CASE("every op of the table has samples, and every sample belongs to an op") {
  std::set<std::string> names;
  for (const TableRow& row : table) {
    CHECK_MESSAGE(names.insert(row.op).second, row.op << " stands twice in Ops.def");
    CHECK_MESSAGE(opSamples().contains(row.op), row.op << " has no row in OpSamples.cpp");
  }
  for (const auto& row : opSamples()) CHECK_MESSAGE(names.contains(row.first), row.first << " is not in Ops.def");
}

TEST_CASE("gradients agree with differences of values") {
  walk(Check::Gradient, [](const TableRow& row, const OpSample& sample) {
    if (row.derivatives == 0) {
      const Tensors inputs = leaves(sample, true);
      CHECK_FALSE(sample.run(inputs).requiresGrad());
      return;
    }
    CHECK(gradcheck(functionOf(sample), differentiated(sample)) <= 1);
  });
}

TEST_CASE("second derivatives agree with differences of gradients") {
  walk(Check::SecondGradient, [](const TableRow& row, const OpSample& sample) {
    if (row.derivatives == 2) CHECK(gradgradcheck(functionOf(sample), differentiated(sample)) <= 1);
  });
}

TEST_CASE("the gradients of a plain backward are those of the differentiable form") {
  walk(Check::Composed, [](const TableRow& row, const OpSample& sample) {
    if (row.derivatives < 2) return;
    const Outcome plain = run(row, sample, leaves(sample, true));
    const Tensors inputs = leaves(sample, true);
    const Tensor y = sample.run(inputs);
    y.backward({.gradient = draw("upstream", y.shape()).to(y.dtype()), .createGraph = true});
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (differentiable(sample, i))
        CHECK_CLOSE(inputs[i].grad(), plain.gradients[i], toleranceF64, "gradient of operand " << i);
    }
    for (Tensor input : inputs) {
      if (input.defined()) input.zeroGrad();  // a gradient with a graph holds its leaf
    }
  });
}

TEST_CASE("operands with other strides give the same result and gradients") {
  walk(Check::Strides, [](const TableRow& row, const OpSample& sample) {
    checkSame(run(row, sample, leaves(sample, true, strided)), run(row, sample, leaves(sample, true)), toleranceF64);
  });
}

TEST_CASE("operands that lie channels last give the same result and gradients") {
  const auto turn = [](const Tensor& t) {
    return t.rank() >= 3 ? Tensor(t.array().contiguous(MemoryOrder::ChannelsLast)) : t;
  };
  walk(
      Check::ChannelsLast,
      [&](const TableRow& row, const OpSample& sample) {
        checkSame(run(row, sample, leaves(sample, true, turn)), run(row, sample, leaves(sample, true)), toleranceF64);
      },
      hasSpatial);
}

TEST_CASE("f32 is close to f64") {
  const auto narrow = [](const Tensor& t) { return t.dtype() == DType::F64 ? Tensor(t.array().to(DType::F32)) : t; };
  walk(Check::F32, [&](const TableRow& row, const OpSample& sample) {
    const Outcome actual = run(row, sample, leaves(sample, true, narrow)),
                  expected = run(row, sample, leaves(sample, true));
    CHECK(actual.y.dtype() == (expected.y.dtype() == DType::F64 ? DType::F32 : expected.y.dtype()));
    checkSame(actual, expected, toleranceF32);
  });
}

TEST_CASE("an empty batch gives an empty result and gradients of the right shapes") {
  walk(
      Check::Empty,
      [](const TableRow& row, const OpSample& sample) {
        Tensors inputs;
        for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
          Tensor t = sample.inputs[i];
          if (contains(sample.batched, i)) {
            Shape shape = t.shape();
            shape[0] = 0;
            t = Tensor::empty(shape, t.dtype());
          } else if (t.defined()) {
            t = t.clone();
          }
          if (differentiable(sample, i)) t.setRequiresGrad();
          inputs.push_back(t);
        }
        const Outcome outcome = run(row, sample, inputs);
        for (std::size_t i = 0; i < outcome.gradients.size(); ++i) {
          if (!differentiable(sample, i)) continue;
          REQUIRE(outcome.gradients[i].defined());
          CHECK(toString(outcome.gradients[i].shape()) == toString(inputs[i].shape()));
          for (const double g : outcome.gradients[i].toVector<double>()) CHECK(g == 0);  // nothing flowed
        }
        CHECK(outcome.y.numel() == 0);
      },
      [](const OpSample& sample) { return !sample.batched.empty(); });
}

TEST_CASE("shape-only operands give the shape and type of the real result") {
  const auto hollow = [](const Tensor& t) { return Tensor::shapeOnly(t.shape(), t.dtype()); };
  walk(Check::ShapeOnly, [&](const TableRow&, const OpSample& sample) {
    const Tensor real = sample.run(leaves(sample, false)), shape = sample.run(leaves(sample, false, hollow));
    CHECK(shape.isShapeOnly());
    CHECK(toString(shape.shape()) == toString(real.shape()));
    CHECK(name(shape.dtype()) == name(real.dtype()));
  });
}

TEST_CASE("an undefined operand is refused under the op's name") {
  walk(Check::Undefined, [](const TableRow& row, const OpSample& sample) {
    for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
      if (contains(sample.optional, i)) continue;
      Tensors inputs = sample.inputs;
      inputs[i] = Tensor();
      checkRefused(
          row.op, [&] { (void)sample.run(inputs); }, "an undefined operand");
    }
  });
}

TEST_CASE("an operand that was overwritten is refused under the op's name, and the writer is named") {
  walk(Check::Stale, [](const TableRow& row, const OpSample& sample) {
    for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
      if (!sample.inputs[i].defined()) continue;
      Tensors inputs = leaves(sample, false);
      // Written through another name of the same memory: only the tensor that both were taken from takes part in it.
      const Tensor original = inputs[i];
      inputs[i] = original.detach();
      Tensor other = original.detach();
      other.fill_(1);
      checkRefused(
          row.op, [&] { (void)sample.run(inputs); }, "a stale operand");
      try {
        (void)sample.run(inputs);
      } catch (const StateError& error) {
        const std::string text = error.what();
        CHECK_MESSAGE(text.find("fill_") != std::string::npos, text);
      }
    }
  });
}

TEST_CASE("two runs give the same bits") {
  walk(Check::Repeat, [](const TableRow& row, const OpSample& sample) {
    const Outcome first = run(row, sample, leaves(sample, true)), second = run(row, sample, leaves(sample, true));
    CHECK(sameBits(first.y, second.y));
    for (std::size_t i = 0; i < first.gradients.size(); ++i) CHECK(sameBits(first.gradients[i], second.gradients[i]));
  });
}

TEST_CASE("every op is compared with PyTorch in tests/golden") {
  std::set<std::string> covered;
  for (const char* family : {
           "elementwise",
           "functions",
           "reduction",
           "lines",
           "shape",
           "pieces",
           "products",
           "indexing",
           "matmul",
           "activation",
           "piecewise",
           "smooth",
           "norms",
           "convolution",
           "transposed",
           "pooling",
           "pools",
           "resize",
           "batchNorm",
           "losses",
           "moreLosses",
       }) {
    for (const Json& c : golden(family)) covered.insert(c.at("op").get<std::string>());
  }
  walk(Check::Golden, [&](const TableRow& row, const OpSample&) {
    CHECK_MESSAGE(covered.contains(row.op), row.op << " has no golden case");
  });
}
