#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Cumulative.h>
#include <ember/autograd/ops/Logic.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Rearrange.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Rounding.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/autograd/ops/Trigonometry.h>

#include "autograd/OpSampleForms.h"

// What a user of NumPy expects: more functions of an element, logic, running sums, pieces and repetitions.

namespace ember::test {
namespace {

void addMath(OpRows& rows) {
  rows["expm1"] = unary(expm1);
  rows["log1p"] = unary(log1p, -0.8, 3);
  rows["log2"] = unary(log2, 0.2, 3);
  rows["rsqrt"] = unary(rsqrt, 0.3, 3);
  rows["reciprocal"] = unary(reciprocal, 0.4, 3);
  rows["tan"] = unary(tan, -1.2, 1.2);
  rows["asin"] = unary(asin, -0.8, 0.8);
  rows["acos"] = unary(acos, -0.8, 0.8);
  rows["atan"] = unary(atan);
  rows["sinh"] = unary(sinh);
  rows["cosh"] = unary(cosh);
  rows["asinh"] = unary(asinh);
  rows["acosh"] = unary(acosh, 1.3, 4);
  rows["atanh"] = unary(atanh, -0.8, 0.8);
  const auto power = [](const Tensors& in) { return pow(in[0], in[1]); };
  rows["pow"].samples.push_back(
      {"of tensors", {draw("base", {2, 3}, 0.4, 2), draw("exponent", {2, 3})}, power, {0, 1}});
  rows["pow"].samples.push_back(
      {"of tensors, broadcast", {draw("base", {2, 1}, 0.4, 2), draw("exponent", {2, 2, 3})}, power, {1}});
  rows["pow"].samples.push_back(
      {"base 3", {draw("base 3", {2, 3})}, [](const Tensors& in) { return pow(3.0, in[0]); }, {0}});
  // distinct() stays 0.025 away from whole and half numbers here.
  rows["floor"] = kinked(floor);
  rows["ceil"] = kinked(ceil);
  rows["round"] = kinked(round);
  rows["trunc"] = kinked(trunc);
  rows["sign"] = kinked(sign);
  const auto rests = [](Tensor (*op)(const Tensor&, const Tensor&)) {
    const auto run = [op](const Tensors& in) { return op(in[0], in[1]); };
    return OpRow{{{"one shape", {distinct("a", {2, 3}, 0.7), draw("b", {2, 3}, 0.9, 1.7)}, run, {0, 1}},
                  {"broadcast", {distinct("c", {2, 1, 2}, 0.9), draw("d", {1, 3, 1}, -1.7, -0.9)}, run, {0}}}};
  };
  rows["fmod"] = rests(fmod);
  rows["remainder"] = rests(remainder);
}

void addLogic(OpRows& rows) {
  // Half of the elements are 0.
  const auto some = [](const char* name, const Shape& shape) { return integers(name, shape, 2).to(DType::F64); };
  const auto pair = [&](Tensor (*op)(const Tensor&, const Tensor&)) {
    const auto run = [op](const Tensors& in) { return op(in[0], in[1]); };
    return OpRow{{{"one shape", {some("a", {2, 3}), some("b", {2, 3})}, run, {0, 1}},
                  {"broadcast", {some("c", {2, 3, 2, 2}), some("d", {3, 1, 1}).to(DType::Bool)}, run, {0}}}};
  };
  rows["logicalAnd"] = pair(logicalAnd);
  rows["logicalOr"] = pair(logicalOr);
  rows["logicalXor"] = pair(logicalXor);
  rows["logicalNot"] = unary(logicalNot);
  rows["isnan"] = unary(isnan);
  rows["isinf"] = unary(isinf);
  rows["isfinite"] = unary(isfinite);
  const auto over = [&](Tensor (*op)(const Tensor&, const std::vector<int>&, bool)) {
    return OpRow{
        {{"the last axis", {some("last", {3, 2})}, [op](const Tensors& in) { return op(in[0], {1}, false); }, {0}},
         {"two axes kept",
          {some("kept", {2, 3, 2, 2})},
          [op](const Tensors& in) {
            return op(in[0], {1, 3}, true);
          },
          {0}},
         {"all axes", {some("all", {2, 3})}, [op](const Tensors& in) { return op(in[0], {}, false); }}}};
  };
  rows["any"] = over(any);
  rows["all"] = over(all);
}

void addReductions(OpRows& rows) {
  const auto over = [](const char* name, const Shape& shape, auto op, const std::vector<int>& axes, bool keep,
                       std::vector<int> batched) {
    return OpSample{name, {draw(name, shape)}, [=](const Tensors& in) { return op(in[0], axes, keep); }, batched};
  };
  using Reduce = Tensor (*)(const Tensor&, const std::vector<int>&, bool);
  for (const auto& [name, op] : std::map<std::string, Reduce>{{"prod", prod}, {"logsumexp", logsumexp}}) {
    rows[name] = {{over("the last axis", {2, 3, 4}, op, {-1}, false, {0}), over("all axes", {2, 3}, op, {}, false, {}),
                   over("axes 1 and 3 kept", {2, 3, 2, 2}, op, {1, 3}, true, {0})}};
  }
  rows["prod"].samples.push_back({"zeros among the factors",
                                  {Tensor::of<double>({1.5, 0, 2, 0, 3, 0}, {2, 3})},
                                  [](const Tensors& in) { return prod(in[0], {1}); },
                                  {0}});
  rows["argmin"] = {
      {{"the last axis", {distinct("last", {2, 3, 4})}, [](const Tensors& in) { return argmin(in[0]); }, {0}},
       {"an axis kept", {distinct("kept", {2, 3, 2})}, [](const Tensors& in) { return argmin(in[0], 1, true); }, {0}}}};
  const auto cumulative = [](Tensor (*op)(const Tensor&, int, const CumulativeOptions&)) {
    const auto run = [op](int axis, bool exclusive, bool reverse) {
      return [=](const Tensors& in) { return op(in[0], axis, {.exclusive = exclusive, .reverse = reverse}); };
    };
    return OpRow{{{"the last axis", {draw("last", {2, 5})}, run(-1, false, false), {0}},
                  {"channels of pictures", {draw("channels", {2, 3, 2, 2})}, run(1, false, false), {0}},
                  {"backwards", {draw("backwards", {2, 3, 2})}, run(1, false, true), {0}},
                  {"exclusive", {draw("exclusive", {2, 4})}, run(1, true, false), {0}},
                  {"exclusive, backwards", {draw("both", {2, 4})}, run(1, true, true), {0}}}};
  };
  rows["cumsum"] = cumulative(cumsum);
  rows["cumprod"] = cumulative(cumprod);
  rows["cumprod"].samples.push_back({"zeros among the factors",
                                     {Tensor::of<double>({1.5, 0, 2, 0, 3, 2}, {2, 3})},
                                     [](const Tensors& in) { return cumprod(in[0]); },
                                     {0}});
}

void addPieces(OpRows& rows) {
  const Tensor x = draw("pieces", {2, 5, 3});
  const auto one = [&](const char* name, auto f, std::vector<int> batched = {0}) {
    return OpSample{name, {x}, [f](const Tensors& in) { return f(in[0]); }, std::move(batched)};
  };
  rows["split"] = {{one("of one size", [](const Tensor& t) { return split(t, 2, 1)[2]; }),
                    one("of several sizes", [](const Tensor& t) {
                      return split(t, std::vector<i64>{1, 4}, 1)[1];
                    })}};
  rows["chunk"] = {{one("two of an axis of 5", [](const Tensor& t) { return chunk(t, 2, 1)[0]; })}};
  rows["flip"] = {{one("one axis", [](const Tensor& t) { return flip(t, {1}); }),
                   one("all", [](const Tensor& t) { return flip(t); })}};
  rows["roll"] = {{one("two axes",
                       [](const Tensor& t) {
                         return roll(t, {2, -1}, {1, 2});
                       }),
                   one("all elements", [](const Tensor& t) { return roll(t, {4}); })}};
  rows["repeat"] = {{one("inner axes",
                         [](const Tensor& t) {
                           return repeat(t, {1, 2, 3});
                         }),
                     one("a new axis", [](const Tensor& t) {
                       return repeat(t, {2, 1, 1, 2});
                     })}};
  rows["repeatInterleave"] = {{one("the middle axis", [](const Tensor& t) { return repeatInterleave(t, 3, 1); })}};
  rows["diagonal"] = {{one("above", [](const Tensor& t) { return diagonal(t, 1, 1, 2); }),
                       one("below, axes turned", [](const Tensor& t) { return diagonal(t, -1, 2, 1); })}};
  rows["trace"] = {{{"a matrix", {draw("trace", {3, 4})}, [](const Tensors& in) { return trace(in[0]); }}},
                   {{Check::Empty, "its result has one element"}}};
  rows["triu"] = {{one("above", [](const Tensor& t) { return triu(t, 1); })}};
  rows["tril"] = {{one("below", [](const Tensor& t) { return tril(t, -1); })}};
  rows["diff"] = {{one("once", [](const Tensor& t) { return diff(t); }),
                   one("twice", [](const Tensor& t) { return diff(t, 1, 2); })}};
  rows["outer"] = {
      {{"two vectors", {draw("a", {3}), draw("b", {4})}, [](const Tensors& in) { return outer(in[0], in[1]); }, {0}}}};
  const auto grid = [](bool xy) {
    return [xy](const Tensors& in) {
      const Tensors grids = meshgrid(in, xy);
      return grids[0] * grids[1];
    };
  };
  rows["meshgrid"] = {{{"ij", {draw("a", {3}), draw("b", {2})}, grid(false), {0}},
                       {"xy", {draw("a", {3}), draw("b", {2})}, grid(true), {1}}}};
  rows["trace"].skips[Check::ChannelsLast] = "it takes matrices";
  for (const char* op : {"outer", "meshgrid"}) rows[op].skips[Check::ChannelsLast] = "it takes vectors";
}

}  // namespace

void addNumPySamples(OpRows& rows) {
  addMath(rows);
  addLogic(rows);
  addReductions(rows);
  addPieces(rows);
}

}  // namespace ember::test
