// Laws that general tensor ops obey for every shape: drawn at random from a seed, sizes odd, one and zero among them,
// values in both memory orders and behind strides. Values are small integers where a law is exact, so equal means
// equal.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include <doctest/doctest.h>

#include <ember/autograd/ops/Ops.h>
#include <ember/core/Random.h>

#include "support/Draw.h"
#include "support/Near.h"

using namespace ember;
using namespace ember::test;

namespace {

constexpr u64 cases = 80;

/// The choices of one case.
class Dice {
 public:
  explicit Dice(u64 number) : key_{20261121, random::streamOf("properties"), number} {}

  i64 below(i64 bound) { return static_cast<i64>(random::below(key_, next_++, static_cast<u64>(bound))); }
  bool coin() { return below(2) == 1; }
  /// Mostly odd and small; zero where that is allowed, and then rarely.
  i64 size(bool mayBeEmpty = true) {
    static constexpr i64 sizes[] = {1, 2, 3, 5, 7, 1, 3, 4};
    return mayBeEmpty && below(16) == 0 ? 0 : sizes[below(8)];
  }
  Shape shape(int leastRank = 0, bool mayBeEmpty = true) {
    std::vector<i64> sizes(static_cast<std::size_t>(leastRank + below(5 - leastRank)));
    for (i64& each : sizes) each = size(mayBeEmpty);
    return sizes;
  }
  /// Integers from -4 to 4, anyhow in memory.
  Tensor tensor(const Shape& shape) {
    std::vector<double> values(static_cast<std::size_t>(numel(shape)));
    for (double& value : values) value = static_cast<double>(below(9) - 4);
    return laidOut(Tensor::of<double>(values, shape));
  }
  Tensor laidOut(const Tensor& x) {
    switch (below(3)) {
      case 0:
        return x;
      case 1:
        return contiguous(x, MemoryOrder::ChannelsLast);
      default:
        return strided(x);
    }
  }
  std::vector<int> order(int rank) {
    std::vector<int> axes(static_cast<std::size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
    for (int i = rank - 1; i > 0; --i)
      std::swap(axes[static_cast<std::size_t>(i)], axes[static_cast<std::size_t>(below(i + 1))]);
    return axes;
  }

 private:
  random::Key key_;
  u64 next_ = 0;
};

/// Runs a law on many cases; a failure names the case, which Dice repeats.
void forCases(const std::function<void(Dice&)>& law) {
  for (u64 number = 0; number < cases; ++number) {
    CAPTURE(number);
    Dice dice(number);
    law(dice);
  }
}

/// Position of a logical index in row-major order.
std::size_t place(const std::vector<i64>& index, const Shape& shape) {
  i64 result = 0;
  for (int i = 0; i < shape.rank(); ++i) result = result * shape[i] + index[static_cast<std::size_t>(i)];
  return static_cast<std::size_t>(result);
}

/// Calls visit(index) for every index below the shape, the last axis fastest.
void forIndices(const Shape& shape, const std::function<void(const std::vector<i64>&)>& visit) {
  std::vector<i64> index(static_cast<std::size_t>(shape.rank()), 0);
  for (i64 left = numel(shape); left > 0; --left) {
    visit(index);
    for (int axis = shape.rank() - 1; axis >= 0; --axis) {
      i64& at = index[static_cast<std::size_t>(axis)];
      if (++at < shape[axis]) break;
      at = 0;
    }
  }
}

/// An element where an axis of size 1 stands for any index, and missing leading axes too: broadcasting by its
/// definition.
double broadcastElement(const Values& values, const Shape& shape, const std::vector<i64>& index) {
  std::vector<i64> own;
  const std::size_t skipped = index.size() - static_cast<std::size_t>(shape.rank());
  for (int i = 0; i < shape.rank(); ++i)
    own.push_back(shape[i] == 1 ? 0 : index[skipped + static_cast<std::size_t>(i)]);
  return values[place(own, shape)];
}

/// Two shapes that broadcast.
std::pair<Shape, Shape> broadcastable(Dice& dice) {
  const std::vector<i64> full = dice.shape().vector();
  const auto part = [&] {
    const std::size_t missing = static_cast<std::size_t>(dice.below(static_cast<i64>(full.size()) + 1));
    std::vector<i64> sizes(full.begin() + static_cast<std::ptrdiff_t>(dice.coin() ? missing : 0), full.end());
    for (i64& size : sizes) {
      if (dice.below(3) == 0) size = 1;
    }
    return Shape(sizes);
  };
  return {part(), part()};
}

}  // namespace

TEST_CASE("sums, products and extremes over any axes are what plain loops find") {
  forCases([](Dice& dice) {
    const Shape shape = dice.shape(1, false);
    const Tensor x = dice.tensor(shape);
    std::vector<int> axes = dice.order(shape.rank());
    axes.resize(static_cast<std::size_t>(1 + dice.below(shape.rank())));
    Shape kept = shape;
    for (const int axis : axes) kept[axis] = 1;
    const std::size_t results = static_cast<std::size_t>(numel(kept));
    const double count = static_cast<double>(numel(shape)) / static_cast<double>(results);
    Values sums(results, 0), squares(results, 0), products(results, 1);
    Values largestOnes(results, -100), smallestOnes(results, 100);
    const Values values = valuesOf(x);
    forIndices(shape, [&](const std::vector<i64>& index) {
      std::vector<i64> to = index;
      for (const int axis : axes) to[static_cast<std::size_t>(axis)] = 0;
      const std::size_t at = place(to, kept);
      const double value = values[place(index, shape)];
      sums[at] += value;
      squares[at] += value * value;
      products[at] *= value;
      largestOnes[at] = std::max(largestOnes[at], value);
      smallestOnes[at] = std::min(smallestOnes[at], value);
    });
    const bool keep = dice.coin();
    if (dice.coin()) axes[0] -= shape.rank();
    CHECK(valuesOf(sum(x, axes, keep)) == sums);
    CHECK(valuesOf(amax(x, axes, keep)) == largestOnes);
    CHECK(valuesOf(amin(x, axes, keep)) == smallestOnes);
    CHECK(relativeError(prod(x, axes, keep), products) < 1e-14);  // more than 53 bits may meet
    if (keep) CHECK((sum(x, axes, keep).shape() == kept));
    Values means = sums, variances = squares;
    for (std::size_t i = 0; i < results; ++i) {
      means[i] /= count;
      variances[i] = variances[i] / count - means[i] * means[i];
    }
    CHECK(relativeError(mean(x, axes, keep), means, 1) < 1e-15);
    CHECK(relativeError(var(x, axes, keep, 0), variances, 16) < 1e-14);
  });
}

TEST_CASE("operands broadcast by NumPy's rule, and gradients are summed back") {
  forCases([](Dice& dice) {
    const auto [first, second] = broadcastable(dice);
    const Tensor a = dice.tensor(first).setRequiresGrad(), b = dice.tensor(second).setRequiresGrad();
    const Shape shape = broadcastShapes(first, second, "test");
    const Values left = valuesOf(a), right = valuesOf(b);
    Values sums, products, less;
    Values leftGradient(left.size(), 0);
    const Tensor weights = dice.tensor(shape);
    const Values weight = valuesOf(weights);
    forIndices(shape, [&](const std::vector<i64>& index) {
      const double u = broadcastElement(left, a.shape(), index), v = broadcastElement(right, b.shape(), index);
      sums.push_back(u + v);
      products.push_back(u * v);
      less.push_back(u < v);
    });
    CHECK(((a + b).shape() == shape));
    CHECK(valuesOf(a + b) == sums);
    CHECK(valuesOf(b + a) == sums);
    CHECK(valuesOf(a * b) == products);
    CHECK(valuesOf(a < b) == less);
    CHECK(valuesOf(expand(a, shape) * expand(b, shape)) == products);
    CHECK(valuesOf(maximum(a, b) + minimum(a, b)) == sums);
    CHECK(valuesOf(maximum(a, b)) == valuesOf(where(a < b, expand(b, shape), expand(a, shape))));
    // <weights, expand(a)> = <sumTo(weights), a>, and that is the gradient.
    const Tensor summed = sumTo(weights, a.shape());
    CHECK((weights * a).sum().item() == (summed * a).sum().item());
    const Tensors found = gradients({(weights * (a + b)).sum()}, {a});
    CHECK(valuesOf(found[0]) == valuesOf(summed));
  });
}

TEST_CASE("reshaping and permuting lose nothing") {
  forCases([](Dice& dice) {
    const Shape shape = dice.shape();
    const Tensor x = dice.tensor(shape);
    const Values values = valuesOf(x);
    const std::vector<int> order = dice.order(shape.rank());
    std::vector<int> back(order.size());
    for (std::size_t i = 0; i < order.size(); ++i) back[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
    const Tensor turned = permute(x, order);
    CHECK(sameBits(permute(turned, back), x));
    const Values turnedValues = valuesOf(turned);
    forIndices(turned.shape(), [&](const std::vector<i64>& index) {
      std::vector<i64> from(index.size());
      for (std::size_t i = 0; i < order.size(); ++i) from[static_cast<std::size_t>(order[i])] = index[i];
      CHECK(turnedValues[place(index, turned.shape())] == values[place(from, shape)]);
    });
    CHECK(valuesOf(contiguous(turned)) == turnedValues);
    CHECK(valuesOf(contiguous(turned, MemoryOrder::ChannelsLast)) == turnedValues);

    const Tensor flat = reshape(x, {x.numel()});
    CHECK(valuesOf(flat) == values);
    CHECK(sameBits(reshape(flat, shape), x));
    CHECK(valuesOf(reshape(turned, {x.numel()})) == turnedValues);
    if (shape.rank() == 0) return;
    const int axis = static_cast<int>(dice.below(shape.rank()));
    CHECK(sameBits(squeeze(unsqueeze(x, axis), axis), x));
    CHECK(sameBits(flip(flip(x, {axis}), {axis}), x));
    const i64 shift = dice.below(9) - 4;
    CHECK(sameBits(roll(roll(x, {shift}, {axis}), {-shift}, {axis}), x));
  });
}

TEST_CASE("what is split joins to what it was, and what is joined splits into its parts") {
  forCases([](Dice& dice) {
    const Shape shape = dice.shape(1);
    const int axis = static_cast<int>(dice.below(shape.rank()));
    const Tensor x = dice.tensor(shape);
    std::vector<i64> sizes;
    for (i64 left = shape[axis]; left > 0; left -= sizes.back()) sizes.push_back(1 + dice.below(left));
    if (dice.coin()) sizes.push_back(0);
    if (!sizes.empty()) {
      const Tensors parts = split(x, sizes, axis);
      CHECK(sameBits(concat(parts, axis), x));
      i64 start = 0;
      for (std::size_t i = 0; i < parts.size(); ++i) {
        CHECK(sameBits(parts[i], slice(x, axis, start, start + sizes[i])));
        start += sizes[i];
      }
    }
    const i64 count = 1 + dice.below(3);
    CHECK(sameBits(concat(chunk(x, count, axis), axis), x));
    CHECK(sameBits(concat(Tensors(static_cast<std::size_t>(count), x), axis), repeat(x, [&] {
                     std::vector<i64> counts(static_cast<std::size_t>(shape.rank()), 1);
                     counts[static_cast<std::size_t>(axis)] = count;
                     return counts;
                   }())));
    const Tensor y = dice.tensor(shape);
    const Tensor pile = stack({x, y}, axis);
    CHECK(sameBits(select(pile, axis, 0), x));
    CHECK(sameBits(select(pile, axis, -1), y));
    if (shape[axis] > 0)
      CHECK(sameBits(concat({slice(cumsum(x, axis), axis, 0, 1), diff(cumsum(x, axis), axis)}, axis), x));
  });
}

TEST_CASE("slices are the elements that Python's rule names") {
  forCases([](Dice& dice) {
    const i64 size = dice.size();
    const Tensor x = dice.tensor({2, size, 3});
    const i64 start = dice.below(15) - 7, stop = dice.below(15) - 7, step = 1 + dice.below(4);
    const auto bound = [&](i64 at) { return std::clamp<i64>(at < 0 ? at + size : at, 0, size); };
    Tensors expected;
    for (i64 i = bound(start); i < bound(stop); i += step) expected.push_back(select(x, 1, i));
    const Tensor piece = slice(x, 1, start, stop, step);
    REQUIRE(piece.size(1) == static_cast<i64>(expected.size()));
    if (!expected.empty()) CHECK(sameBits(piece, stack(expected, 1)));
  });
}

TEST_CASE("softmax sums to one, does not see a shift, and is the exponential of its logarithm") {
  forCases([](Dice& dice) {
    const Shape shape = dice.shape(1);
    const int axis = static_cast<int>(dice.below(shape.rank()));
    const Tensor x = dice.tensor(shape);
    const Tensor y = softmax(x, axis);
    Shape perRow = shape;
    perRow[axis] = 1;
    CHECK(relativeError(y, softmax(x + dice.tensor(perRow) * 100, axis), 1) < 1e-15);
    CHECK(relativeError(exp(logSoftmax(x, axis)), y, 1) < 1e-14);
    if (shape[axis] > 0)
      CHECK(relativeError(sum(y, {axis}), Tensor::ones(sum(y, {axis}).shape(), DType::F64), 1) < 1e-15);
  });
}

TEST_CASE("matrix products associate, distribute, transpose and go batch by batch") {
  forCases([](Dice& dice) {
    const i64 m = dice.size(), k = dice.size(), l = dice.size(), n = dice.size(), batch = dice.size(false);
    const Tensor a = dice.tensor({m, k}), b = dice.tensor({k, l}), c = dice.tensor({l, n});
    CHECK(sameBits(matmul(matmul(a, b), c) + 0, matmul(a, matmul(b, c)) + 0));  // -0 + 0 is 0
    CHECK(sameBits(transpose(matmul(a, b), 0, 1) + 0, matmul(transpose(b, 0, 1), transpose(a, 0, 1)) + 0));
    const Tensor other = dice.tensor({k, l});
    CHECK(sameBits(matmul(a, b + other) + 0, matmul(a, b) + matmul(a, other) + 0));
    CHECK(sameBits(matmul(a, b) + 0, linear(a, transpose(b, 0, 1)) + 0));
    CHECK(sameBits(matmul(a, Tensor::eye(k, k, 0, DType::F64)) + 0, a + 0));
    CHECK(valuesOf(matmul(a, b) + 0) == valuesOf(sum(unsqueeze(a, 2) * unsqueeze(b, 0), {1}) + 0));

    const Tensor pile = dice.tensor({batch, m, k});
    const Tensor products = matmul(pile, b);
    for (i64 i = 0; i < batch; ++i) CHECK(sameBits(select(products, 0, i) + 0, matmul(select(pile, 0, i), b) + 0));
  });
}

TEST_CASE("gradients are linear: that of a sum is the sum of theirs, weighted") {
  using Op = Tensor (*)(const Tensor&);
  static constexpr Op ops[] = {
      [](const Tensor& x) { return square(x); },    [](const Tensor& x) { return relu(x); },
      [](const Tensor& x) { return x * x * x; },    [](const Tensor& x) { return abs(x) + x; },
      [](const Tensor& x) { return amax(x, {0}); }, [](const Tensor& x) { return cumsum(x, 0); },
      [](const Tensor& x) { return flip(x) - x; },
  };
  forCases([](Dice& dice) {
    const Shape shape = dice.shape(1, false);
    const Tensor x = dice.tensor(shape).setRequiresGrad();
    const Op f = ops[dice.below(static_cast<i64>(std::size(ops)))],
             g = ops[dice.below(static_cast<i64>(std::size(ops)))];
    const double s = static_cast<double>(dice.below(9) - 4), t = static_cast<double>(dice.below(9) - 4);
    const auto gradient = [&](const Tensor& y) { return gradients({y}, {x})[0]; };
    const Tensor together = gradient(f(x).sum() * s + g(x).sum() * t);
    const Tensor apart = gradient(f(x).sum()) * s + gradient(g(x).sum()) * t;
    CHECK(relativeError(together, apart, 1) < 1e-14);  // ties of amax share thirds
    // The direction of one vector at a time or of all together is the same.
    const Tensor y = f(x);
    const Tensor u = dice.tensor(y.shape()), v = dice.tensor(y.shape());
    const Tensor both = gradients({f(x)}, {x}, {}, {u + v})[0];
    CHECK(relativeError(both, gradients({f(x)}, {x}, {}, {u})[0] + gradients({f(x)}, {x}, {}, {v})[0], 1) < 1e-14);
  });
}

TEST_CASE("sorting is a permutation that gather applies and scatter undoes") {
  forCases([](Dice& dice) {
    const Shape shape = dice.shape(1);
    const int axis = static_cast<int>(dice.below(shape.rank()));
    const Tensor x = dice.tensor(shape);
    const bool falling = dice.coin();
    const Sorted sorted = sort(x, axis, falling);
    CHECK(sameBits(gather(x, axis, sorted.indices), sorted.values));
    CHECK(sameBits(scatter(Tensor::zeros(shape, DType::F64), axis, sorted.indices, sorted.values), x));
    CHECK(sameBits(argsort(x, axis, falling), sorted.indices));
    if (shape[axis] > 1) {
      const Tensor steps = diff(sorted.values, axis);
      CHECK(all(falling ? steps <= 0 : steps >= 0).item() == 1);
    }
    const i64 count = dice.below(shape[axis] + 1);
    const Sorted best = topk(x, count, axis, falling);
    CHECK(sameBits(best.values, slice(sorted.values, axis, 0, count)));
    CHECK(sameBits(best.indices, slice(sorted.indices, axis, 0, count)));
    CHECK(sameBits(sort(flip(x, {axis}), axis).values, sort(x, axis).values));
  });
}

TEST_CASE("adding at positions is the adjoint of taking from them") {
  forCases([](Dice& dice) {
    const Shape shape = dice.shape(1, false);
    const int axis = static_cast<int>(dice.below(shape.rank()));
    const Tensor x = dice.tensor(shape).setRequiresGrad();
    Shape taken = shape;
    taken[axis] = dice.size();
    std::vector<i64> positions(static_cast<std::size_t>(numel(taken)));
    for (i64& position : positions) position = dice.below(shape[axis]);
    const Tensor index = Tensor::of<i64>(positions, taken), y = dice.tensor(taken);
    const Tensor product = (gather(x, axis, index) * y).sum();
    const Tensor added = scatterAdd(Tensor::zeros(shape, DType::F64), axis, index, y);
    CHECK(product.item() == (x * added).sum().item());
    CHECK(valuesOf(gradients({product}, {x})[0]) == valuesOf(added));

    const Tensor few = slice(reshape(index, {-1}), 0, 0, 4);
    const Tensor picked = indexSelect(x, axis, few);
    for (i64 i = 0; i < few.numel(); ++i) {
      CHECK(sameBits(select(picked, axis, i), select(x, axis, static_cast<i64>(few.select(0, i).item()))));
    }
    const Tensor rows = reshape(transpose(x, 0, axis), {shape[axis], -1});
    CHECK(valuesOf(matmul(oneHot(few, shape[axis], DType::F64), rows)) == valuesOf(indexSelect(rows, 0, few) + 0));
    const Tensor mask = x > 0;
    CHECK(maskedSelect(x, mask).sum().item() == maskedFill(x, !mask, 0).sum().item());
    CHECK(nonZero(mask).size(0) == maskedSelect(x, mask).numel());
  });
}

TEST_CASE("einsum says what matmul, sum, transpose and diagonal say") {
  forCases([](Dice& dice) {
    const i64 m = dice.size(), k = dice.size(), n = dice.size(), batch = dice.size();
    const Tensor a = dice.tensor({m, k}), b = dice.tensor({k, n}), pile = dice.tensor({batch, m, k}),
                 even = dice.tensor({m, m});
    CHECK(valuesOf(einsum("ik,kj->ij", {a, b})) == valuesOf(matmul(a, b)));
    CHECK(valuesOf(einsum("...ik,kj", {pile, b})) == valuesOf(matmul(pile, b)));
    CHECK(valuesOf(einsum("ij->ji", {a})) == valuesOf(transpose(a, 0, 1)));
    CHECK(valuesOf(einsum("ij->j", {a})) == valuesOf(sum(a, {0})));
    CHECK(valuesOf(einsum("ii->i", {even})) == valuesOf(diagonal(even)));
    CHECK(einsum("ii", {even}).item() == trace(even).item());
    CHECK(valuesOf(einsum("bij,bij->b", {pile, pile})) == valuesOf(sum(square(pile), {1, 2})));
  });
}
