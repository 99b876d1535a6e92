#include <cmath>
#include <string>

#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Einsum.h>
#include <ember/autograd/ops/Indexing.h>
#include <ember/autograd/ops/Norm.h>
#include <ember/autograd/ops/Sampling.h>
#include <ember/autograd/ops/Slicing.h>
#include <ember/autograd/ops/Sorting.h>
#include <ember/core/Random.h>

#include "autograd/OpSamples.h"
#include "support/Draw.h"

// Elements chosen by tensors, order, norms and Einstein's sums.

namespace ember::test {
namespace {

void addChoices(OpRows& rows) {
  const auto choose = [](Tensor (*op)(const Tensor&, int, const Tensor&), int axis) {
    return [=](const Tensors& in) { return op(in[0], axis, in[1]); };
  };
  rows["gather"] = {
      {{"the last axis", {draw("last", {2, 3}), integers("i", {2, 5}, 3)}, choose(gather, -1), {0, 1}},
       {"a smaller index", {draw("smaller", {3, 4, 2}), integers("j", {2, 3, 2}, 4)}, choose(gather, 1), {1}}}};
  const auto put = [](Tensor (*op)(const Tensor&, int, const Tensor&, const Tensor&), int axis) {
    return [=](const Tensors& in) { return op(in[0], axis, in[1], in[2]); };
  };
  const auto puts = [&](Tensor (*op)(const Tensor&, int, const Tensor&, const Tensor&)) {
    return OpRow{{{"with repeated places",
                   {draw("x", {2, 3}), integers("i", {2, 4}, 3), draw("source", {2, 4})},
                   put(op, 1),
                   {0, 1, 2}},
                  {"the middle axis, a number",
                   {draw("y", {2, 4, 2}), integers("j", {2, 3, 2}, 4), draw("number", {})},
                   put(op, 1),
                   {0, 1}}}};
  };
  rows["scatter"] = puts(scatter);
  rows["scatterAdd"] = puts(scatterAdd);
  rows["indexSelect"] = {
      {{"axis 1", {draw("one", {2, 4, 3}), integers("i", {5}, 4)}, choose(indexSelect, 1), {0}},
       {"rows by a matrix", {draw("rows", {4, 3}), integers("j", {2, 3}, 4)}, choose(indexSelect, 0), {1}},
       {"a position", {draw("position", {2, 4}), integers("k", {}, 4)}, choose(indexSelect, 1), {0}}}};
  const auto at = [](const std::vector<Index>& places) {
    return [places](const Tensors& in) { return index(in[0], places); };
  };
  rows["index"] = {
      {{"slices and positions", {draw("slices", {2, 4, 3})}, at({Range{}, Range{3, {}, -2}, newAxis, 1}), {0}},
       {"an ellipsis and a tensor", {draw("tensor", {2, 4, 3})}, at({ellipsis, Tensor::of<i64>({2, 0, 2})}), {0}}}};
  const auto mask = [](const Shape& shape) { return integers("mask", shape, 2).to(DType::Bool); };
  const auto fill = [](const Tensors& in) { return maskedFill(in[0], in[1], -1.5); };
  rows["maskedFill"] = {{{"one shape", {draw("same", {2, 3}), mask({2, 3})}, fill, {0, 1}},
                         {"a mask of channels", {draw("channels", {2, 3, 2, 2}), mask({3, 1, 1})}, fill, {0}}}};
  const auto pick = [](const Tensors& in) { return maskedSelect(in[0], in[1]); };
  rows["maskedSelect"] = {{{"one shape", {draw("same", {3, 3}), mask({3, 3})}, pick, {0, 1}},
                           {"a mask of columns", {draw("columns", {2, 3, 4}), mask({4})}, pick, {0}}},
                          {{Check::ShapeOnly, "how many elements come out depends on the values"}}};
  const auto places = [](const Tensors& in) { return nonZero(in[0]); };
  rows["nonZero"] = {{{"a matrix", {integers("zeros", {3, 4}, 2)}, places, {0}},
                      {"pictures", {integers("pictures", {2, 2, 2, 2}, 2).to(DType::F64)}, places, {0}}},
                     {{Check::ShapeOnly, "how many positions come out depends on the values"}}};
  rows["oneHot"] = {{{"labels", {integers("labels", {5}, 4)}, [](const Tensors& in) { return oneHot(in[0], 4); }, {0}},
                     {"pictures of labels, f64",
                      {integers("pictures", {2, 2, 3}, 3)},
                      [](const Tensors& in) { return oneHot(in[0], 3, DType::F64); },
                      {0}}},
                    {{Check::F32, "its type is asked for, and its operand is of integers"}}};
}

void addOrder(OpRows& rows) {
  const auto sample = [](const char* name, const Shape& shape, auto f) {
    return OpSample{name, {distinct(name, shape)}, [f](const Tensors& in) { return f(in[0]); }, {0}};
  };
  rows["sort"] = {{sample("rising", {2, 5}, [](const Tensor& x) { return sort(x).values; }),
                   sample("channels, falling", {2, 3, 2}, [](const Tensor& x) { return sort(x, 1, true).values; })}};
  rows["argsort"] = {{sample("rising", {2, 5}, [](const Tensor& x) { return argsort(x); }),
                      sample("channels, falling", {2, 3, 2}, [](const Tensor& x) { return argsort(x, 1, true); })}};
  rows["topk"] = {{sample("largest", {3, 6}, [](const Tensor& x) { return topk(x, 3).values; }),
                   sample("smallest", {2, 4, 2}, [](const Tensor& x) { return topk(x, 2, 1, false).values; })}};
}

void addProducts(OpRows& rows) {
  for (const double p : {2.0, 1.0, 3.0, 0.5, -1.0, HUGE_VAL, -HUGE_VAL}) {
    rows["norm"].samples.push_back({"p = " + std::to_string(p),
                                    {distinct("norm", {2, 4, 3}, 0.25)},
                                    [p](const Tensors& in) { return norm(in[0], p, {1}); },
                                    {0}});
  }
  rows["norm"].samples.push_back(
      {"all axes kept", {draw("kept", {3, 2})}, [](const Tensors& in) { return norm(in[0], 2, {}, true); }});
  const auto sum = [](const char* equation) { return [=](const Tensors& in) { return einsum(equation, in); }; };
  rows["einsum"] = {{{"a matrix product", {draw("a", {2, 3}), draw("b", {3, 4})}, sum("ik,kj->ij"), {0}},
                     {"a batch", {draw("c", {2, 3, 4}), draw("d", {2, 4, 2})}, sum("bij,bjk->bik"), {0, 1}},
                     {"three operands", {draw("e", {2, 3}), draw("f", {3, 4}), draw("g", {4})}, sum("ij,jk,k->i"), {0}},
                     {"a diagonal", {draw("h", {2, 3, 3})}, sum("bii->bi"), {0}},
                     {"dots that broadcast", {draw("i", {2, 2, 3}), draw("j", {3, 2})}, sum("...ij,jk->...k"), {0}},
                     {"an outer product", {draw("k", {2, 3}), draw("l", {2, 2})}, sum("bi,bj->bij"), {0, 1}}}};
}

void addDraws(OpRows& rows) {
  // Seeded before each call, a draw is a function of its operand.
  const auto draws = [](const Tensors& in) {
    seed(9);
    return bernoulli(in[0]);
  };
  const std::string other = "PyTorch draws other numbers; IndexingTest holds frequencies";
  rows["bernoulli"] = {{{"a matrix", {draw("p", {3, 4}, 0.1, 0.9)}, draws, {0}},
                        {"pictures", {draw("q", {2, 3, 2, 2}, 0.1, 0.9)}, draws, {0}}},
                       {{Check::Golden, other}}};
  const auto several = [](bool replacement) {
    return [=](const Tensors& in) {
      seed(9);
      return multinomial(in[0], 3, replacement);
    };
  };
  rows["multinomial"] = {{{"without replacement", {draw("w", {2, 5}, 0.1, 2)}, several(false), {0}},
                          {"with replacement", {draw("v", {2, 5}, 0.1, 2)}, several(true), {0}}},
                         {{Check::Golden, other}, {Check::ChannelsLast, "it takes rows of weights"}}};
}

}  // namespace

void addIndexingSamples(OpRows& rows) {
  addChoices(rows);
  addOrder(rows);
  addProducts(rows);
  addDraws(rows);
}

}  // namespace ember::test
