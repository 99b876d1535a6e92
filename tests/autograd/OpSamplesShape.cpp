#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>

#include "autograd/OpSamples.h"
#include "support/Draw.h"

// Reductions and the ops that move, view and join elements.

namespace ember::test {
namespace {

using Reduce = Tensor (*)(const Tensor&, const std::vector<int>&, bool);

/// Over one axis that is not the batch, over all, over several with the axes kept.
std::vector<OpSample> reductions(Reduce reduce) {
  const auto over = [reduce](const std::vector<int>& axes, bool keep) {
    return [=](const Tensors& in) { return reduce(in[0], axes, keep); };
  };
  return {{"the last axis", {distinct("last", {2, 3, 4})}, over({-1}, false), {0}},
          {"all axes", {distinct("all", {2, 3})}, over({}, false)},
          {"axes 1 and 3 kept", {distinct("kept", {2, 3, 2, 2})}, over({1, 3}, true), {0}},
          {"an axis of one element", {distinct("one", {3, 1})}, over({1}, false), {0}}};
}

}  // namespace

void addReductionSamples(OpRows& rows) {
  rows["sum"] = {reductions(sum)};
  rows["mean"] = {reductions(mean)};
  rows["amax"] = {reductions(amax)};
  rows["amin"] = {reductions(amin)};
  rows["var"] = {
      reductions([](const Tensor& x, const std::vector<int>& axes, bool keep) { return var(x, axes, keep, 1); })};
  rows["var"].samples.pop_back();  // the sample variance of one element divides by zero
  rows["var"].samples.push_back(
      {"biased", {draw("biased", {2, 5})}, [](const Tensors& in) { return var(in[0], {1}, false, 0); }, {0}});
  rows["argmax"] = {
      {{"the last axis", {distinct("last", {2, 3, 4})}, [](const Tensors& in) { return argmax(in[0]); }, {0}},
       {"an axis kept", {distinct("kept", {2, 3, 2})}, [](const Tensors& in) { return argmax(in[0], 1, true); }, {0}}}};
  const auto to = [](const Shape& shape) { return [shape](const Tensors& in) { return sumTo(in[0], shape); }; };
  rows["sumTo"] = {{{"a new axis", {draw("new", {2, 3, 4})}, to({3, 4}), {}},
                    {"stretched axes", {draw("stretched", {2, 3, 4})}, to({2, 1, 1})},
                    {"a number", {draw("number", {2, 3})}, to({})}},
                   {{Check::Empty, "the batch axis is summed away or kept by the shape that is asked for"}}};
}

void addShapeSamples(OpRows& rows) {
  const Tensor x = draw("shape", {2, 3, 4});
  const auto one = [&](const char* name, auto f, std::vector<int> batched = {0}) {
    return OpSample{name, {x}, [f](const Tensors& in) { return f(in[0]); }, std::move(batched)};
  };
  rows["reshape"] = {{one("axes joined",
                          [](const Tensor& t) {
                            return reshape(t, {-1, 4});
                          },
                          {}),
                      one("axes split",
                          [](const Tensor& t) {
                            return reshape(t, {2, 3, 2, 2});
                          },
                          {}),
                      {"an empty batch",
                       {draw("batch", {2, 3})},
                       [](const Tensors& in) {
                         return reshape(in[0], {in[0].defined() ? in[0].size(0) : 2, 1, 3});
                       },
                       {0}}}};
  rows["flatten"] = {{one("from axis 1", [](const Tensor& t) { return flatten(t, 1); }),
                      one("the first two", [](const Tensor& t) { return flatten(t, 0, 1); })}};
  rows["permute"] = {{one("three axes", [](const Tensor& t) { return permute(t, {2, 0, 1}); })}};
  rows["transpose"] = {{one("the outer axes", [](const Tensor& t) { return transpose(t, 0, -1); })}};
  rows["slice"] = {{one("a range", [](const Tensor& t) { return slice(t, 1, 1, 3); }),
                    one("every second", [](const Tensor& t) { return slice(t, -1, 1, 4, 2); }),
                    one("counted from the end", [](const Tensor& t) { return slice(t, 2, -3, -1); }),
                    one("nothing", [](const Tensor& t) { return slice(t, 1, 2, 2); })}};
  rows["select"] = {{one("the last", [](const Tensor& t) { return select(t, 1, -1); })}};
  rows["expand"] = {{{"a new axis and a stretched one",
                      {draw("expand", {3, 1})},
                      [](const Tensors& in) {
                        return expand(in[0], {2, 3, 4});
                      }},
                     {"the batch as it is",
                      {draw("kept", {2, 1, 2})},
                      [](const Tensors& in) {
                        return expand(in[0], {in[0].defined() ? in[0].size(0) : 2, 3, 2});
                      },
                      {0}}}};
  rows["unsqueeze"] = {{one("in the middle", [](const Tensor& t) { return unsqueeze(t, 1); }),
                        one("at the end", [](const Tensor& t) { return unsqueeze(t, -1); })}};
  rows["squeeze"] = {
      {{"axis 1", {draw("squeeze", {2, 1, 3})}, [](const Tensors& in) { return squeeze(in[0], 1); }, {0}}}};
  rows["concat"] = {{{"axis 1",
                      {draw("a", {2, 3}), draw("b", {2, 1}), draw("c", {2, 2})},
                      [](const Tensors& in) { return concat(in, 1); },
                      {0, 1, 2}},
                     {"axis 0 of pictures",
                      {draw("d", {1, 2, 2, 2}), draw("e", {2, 2, 2, 2})},
                      [](const Tensors& in) { return concat(in, 0); },
                      {0, 1}}}};
  rows["stack"] = {
      {{"in front", {draw("a", {2, 3}), draw("b", {2, 3})}, [](const Tensors& in) { return stack(in, 0); }, {0, 1}},
       {"of sequences, in the middle",
        {draw("c", {2, 3, 2}), draw("d", {2, 3, 2})},
        [](const Tensors& in) { return stack(in, 1); },
        {0, 1}}}};
  rows["pad"] = {{one("zeros",
                      [](const Tensor& t) {
                        return pad(t, {0, 0, 1}, {0, 1, 2});
                      }),
                  one("another value", [](const Tensor& t) {
                    return pad(t, {0, 2, 0}, {0, 0, 1}, -1.5);
                  })}};
  rows["contiguous"] = {
      {one("row-major", [](const Tensor& t) { return contiguous(t); }),
       one("channels last", [](const Tensor& t) { return contiguous(t, MemoryOrder::ChannelsLast); })},
      {{Check::Golden, "it changes the order in memory and no value"}}};
  rows["cast"] = {{one("to f32", [](const Tensor& t) { return cast(t, DType::F32); })},
                  {{Check::Gradient,
                    "differences of f32 values are too coarse for gradcheck; the composed check holds its gradient"},
                   {Check::SecondGradient, "as gradcheck"},
                   {Check::Golden, "a conversion: compared with C++'s own in tests/core"}}};
}

}  // namespace ember::test
