#pragma once
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/comm/InProcess.h>

#include "support/Draw.h"
#include "support/Near.h"

/// One batch in one process, and in shares over ranks that are threads: the same must come out.
namespace ember::test::batchnorm {

using Comm = std::shared_ptr<Communicator>;

inline Tensor leaf(const Tensor& t) { return t.clone().setRequiresGrad(); }

/// A batch [n, 3, 2, 2] about `mean` and a gradient of y for it. Each of the sums of dy and dy·xh is about n·4, so that
/// a relative difference of theirs means something, and dx is not what is left of larger terms.
struct Data {
  Tensor x, dy, gamma, beta;
  Data(i64 n, double mean, DType dtype) {
    const Tensor xh = draw("xh", {n, 3, 2, 2}, -1.7, 1.7);
    x = (xh + mean).to(dtype);
    dy = (1.0 + xh + draw("noise", {n, 3, 2, 2})).to(dtype);
    gamma = draw("gamma", {3}, 0.5, 1.5).to(dtype);
    beta = draw("beta", {3}, -1, 1).to(dtype);
  }
};

/// What one rank (or one process with the whole batch) ends up with.
struct Outcome {
  Tensor y, dx, dw, db, second, mean, invstd, rm, rv;
};

/// Forward, backward and, if asked, the gradient of |dx|² by x, for the samples [begin, end).
inline Outcome run(const Data& data, i64 begin, i64 end, BatchNormOptions options, bool second = false) {
  const Tensor x = leaf(slice(data.x, 0, begin, end)), dy = slice(data.dy, 0, begin, end).clone();
  const Tensor w = leaf(data.gamma), b = leaf(data.beta);
  Outcome o;
  o.rm = Tensor::zeros({3}, x.dtype());
  o.rv = Tensor::ones({3}, x.dtype());
  if (!options.factor) options.factor = 1.0;
  const BatchNormResult result = batchNorm(x, w, b, o.rm, o.rv, options);
  o.y = result.y.detach();
  o.mean = result.mean();
  o.invstd = result.invstd();
  if (second) {
    const Tensors g = gradients({result.y}, {x, w, b}, {.createGraph = true}, {dy});
    o.second = gradients({(g[0] * g[0]).sum()}, {x})[0];
    o.dx = g[0].detach();
    o.dw = g[1].detach();
    o.db = g[2].detach();
  } else {
    const Tensors g = gradients({result.y}, {x, w, b}, {}, {dy});
    o.dx = g[0];
    o.dw = g[1];
    o.db = g[2];
  }
  return o;
}

/// Results of the ranks; rank r has samples [cuts[r], cuts[r + 1]).
inline std::vector<Outcome> onRanks(const Data& data, const std::vector<i64>& cuts, BatchNormOptions options = {},
                                    bool second = false) {
  std::vector<Outcome> outcomes(cuts.size() - 1);
  runRanks(static_cast<int>(outcomes.size()), [&](Comm c) {
    const auto r = static_cast<std::size_t>(c->rank());
    BatchNormOptions own = options;
    own.syncGroup = c;
    outcomes[r] = run(data, cuts[r], cuts[r + 1], own, second);
  });
  return outcomes;
}

inline Values joined(const std::vector<Outcome>& outcomes, Tensor Outcome::*part) {
  Values all;
  for (const Outcome& o : outcomes) {
    const Values values = valuesOf(o.*part);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}
inline Values summed(const std::vector<Outcome>& outcomes, Tensor Outcome::*part) {
  Values sum(3, 0.0);
  for (const Outcome& o : outcomes) {
    for (std::size_t i = 0; i < 3; ++i) sum[i] += valuesOf(o.*part)[i];
  }
  return sum;
}
inline double error(const Values& actual, const Tensor& expected) {
  return relativeError(Tensor::of<double>(actual, {static_cast<i64>(actual.size())}), expected);
}

inline void checkEqualsWhole(const std::vector<Outcome>& ranks, const Outcome& whole, double tolerance) {
  CHECK(error(joined(ranks, &Outcome::y), whole.y) < tolerance);
  CHECK(error(joined(ranks, &Outcome::dx), whole.dx) < tolerance);
  CHECK(error(summed(ranks, &Outcome::dw), whole.dw) < tolerance);
  CHECK(error(summed(ranks, &Outcome::db), whole.db) < tolerance);
  for (const Outcome& o : ranks) {
    CHECK(relativeError(o.rm, whole.rm) < tolerance);
    CHECK(relativeError(o.rv, whole.rv) < tolerance);
    for (Tensor Outcome::*part : {&Outcome::rm, &Outcome::rv, &Outcome::mean, &Outcome::invstd})
      CHECK(sameBits(o.*part, ranks.front().*part));
  }
}

}  // namespace ember::test::batchnorm
