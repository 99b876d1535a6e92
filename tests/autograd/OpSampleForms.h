#pragma once
#include "autograd/OpSamples.h"
#include "support/Draw.h"

/// Rows of samples for ops of a common form.
namespace ember::test {

using BinaryOp = Tensor (*)(const Tensor&, const Tensor&);

/// One shape, broadcast in both directions, channels, and a number.
inline OpRow binary(BinaryOp op, double low = -2) {
  const auto sample = [&](const char* name, const Shape& a, const Shape& b, std::vector<int> batched) {
    return OpSample{name,
                    {distinct(name, a), draw("b", b, low)},
                    [op](const Tensors& in) { return op(in[0], in[1]); },
                    std::move(batched)};
  };
  return {{sample("one shape", {2, 3}, {2, 3}, {0, 1}), sample("a column and a row", {2, 1}, {1, 3}, {0}),
           sample("pictures and channels", {2, 3, 2, 2}, {3, 1, 1}, {0}), sample("a number", {2, 2}, {}, {0})}};
}

/// On numbers between low and high, in rows and as pictures.
template <class F>
OpRow unary(F op, double low = -2, double high = 2) {
  const auto run = [op](const Tensors& in) { return op(in[0]); };
  return {{{"a matrix", {draw("matrix", {3, 4}, low, high)}, run, {0}},
           {"pictures", {draw("pictures", {2, 3, 2, 2}, low, high)}, run, {0}},
           {"a number", {draw("number", {}, low, high)}, run}}};
}

/// On numbers that stay 0.025 and more away from 0, where the derivative jumps.
template <class F>
OpRow kinked(F op) {
  const auto run = [op](const Tensors& in) { return op(in[0]); };
  return {{{"a matrix", {distinct("matrix", {3, 4})}, run, {0}},
           {"pictures", {distinct("pictures", {2, 3, 2, 2})}, run, {0}}}};
}

template <class F>
OpSample along(const char* name, const Shape& shape, int axis, F op) {
  return {name, {draw(name, shape)}, [=](const Tensors& in) { return op(in[0], axis); }, {0}};
}

}  // namespace ember::test
