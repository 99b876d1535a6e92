// Sums, extremes, and where they are.
#include "conformance/Helpers.h"

namespace ember::test::onnx {
namespace {

using Reduce = Tensor (*)(const Tensor&, const std::vector<int>&, bool);

/// The axes to reduce (empty: all), or nothing where x stays as it is.
struct Reduction {
  std::vector<int> axes;
  bool keepDims, none;
};
Reduction reductionOf(const Call& call) {
  const std::vector<i64> axes = call.list("axes", 1);
  return {toAxes(axes), call.integer("keepdims", 1) != 0, axes.empty() && call.integer("noop_with_empty_axes", 0) != 0};
}

template <Reduce reduce>
Tensor reduced(const Call& call, const Tensor& x) {
  const Reduction r = reductionOf(call);
  return r.none ? x : reduce(x, r.axes, r.keepDims);
}

/// The p-norm.
Tensors normed(const Call& call, double p) {
  const Reduction r = reductionOf(call);
  return {r.none ? call.in(0) : norm(call.in(0), p, r.axes, r.keepDims)};
}

template <Reduce reduce>
Tensors plain(const Call& call) {
  return {reduced<reduce>(call, call.in(0))};
}

template <Tensor (*op)(const Tensor&, int, bool, bool)>
Tensors position(const Call& call) {
  return {op(call.in(0), static_cast<int>(call.integer("axis", 0)), call.integer("keepdims", 1) != 0,
             call.integer("select_last_index", 0) != 0)};
}

Tensors runningSum(const Call& call) {
  return {cumsum(call.in(0), static_cast<int>(call.in(1).item()),
                 {.exclusive = call.integer("exclusive", 0) != 0, .reverse = call.integer("reverse", 0) != 0})};
}

constexpr Row rows[] = {
    {"ArgMax", Match::Exact, position<argmax>},
    {"ArgMin", Match::Exact, position<argmin>},
    {"CumSum", Match::Near, runningSum},
    {"ReduceL1", Match::Near, [](const Call& c) { return normed(c, 1); }},
    {"ReduceL2", Match::Near, [](const Call& c) { return normed(c, 2); }},
    {"ReduceLogSum", Match::Near, [](const Call& c) { return Tensors{log(reduced<sum>(c, c.in(0)))}; }},
    {"ReduceLogSumExp", Match::Near, plain<logsumexp>},
    {"ReduceMax", Match::Exact, plain<amax>},
    {"ReduceMean", Match::Near, plain<mean>},
    {"ReduceMin", Match::Exact, plain<amin>},
    {"ReduceProd", Match::Near, plain<prod>},
    {"ReduceSum", Match::Near, plain<sum>},
    {"ReduceSumSquare", Match::Near, [](const Call& c) { return Tensors{reduced<sum>(c, square(c.in(0)))}; }},
};

}  // namespace

std::span<const Row> reductionOps() { return rows; }

}  // namespace ember::test::onnx
