#include <string>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Interpolate.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>

namespace ember {

using namespace autograd;

namespace {

void check(const char* op, const Tensor& x, i64 factor) {
  checkOperands(op, {&x});
  if (factor < 1) throw ValueError(op, "factor is " + std::to_string(factor), {}, "use 1 or more");
  if (x.rank() >= 3) return;
  throw ShapeError(op, "input has rank " + std::to_string(x.rank()) + ", expected at least 3",
                   {{"input", "x " + toString(x.shape())}}, "give it [N, C, H, W]");
}

void checkDivides(const char* op, const Tensor& x, int axis, i64 divisor, const char* what) {
  if (x.size(axis) % divisor == 0) return;
  throw ShapeError(
      op, std::string(what) + " " + std::to_string(x.size(axis)) + " is no multiple of " + std::to_string(divisor),
      {{"input", "x " + toString(x.shape())}});
}

/// The axes before the last three as one.
i64 images(const Shape& shape) {
  i64 count = 1;
  for (int i = 0; i < shape.rank() - 3; ++i) count = checkedMul(count, shape[i]);
  return count;
}

Shape withLast(const Shape& shape, i64 channels, i64 height, i64 width) {
  Shape result = shape;
  result[shape.rank() - 3] = channels;
  result[shape.rank() - 2] = height;
  result[shape.rank() - 1] = width;
  return result;
}

}  // namespace

Tensor pixelShuffle(const Tensor& x, i64 factor) {
  constexpr const char* op = "pixelShuffle";
  check(op, x, factor);
  checkDivides(op, x, -3, checkedMul(factor, factor), "number of channels");
  const i64 n = images(x.shape()), c = x.size(-3) / (factor * factor), h = x.size(-2), w = x.size(-1);
  const Tensor apart = reshape(x, {n, c, factor, factor, h, w});
  return reshape(permute(apart, {0, 1, 4, 2, 5, 3}),
                 withLast(x.shape(), c, checkedMul(h, factor), checkedMul(w, factor)));
}

Tensor pixelUnshuffle(const Tensor& x, i64 factor) {
  constexpr const char* op = "pixelUnshuffle";
  check(op, x, factor);
  checkDivides(op, x, -2, factor, "height");
  checkDivides(op, x, -1, factor, "width");
  const i64 n = images(x.shape()), c = x.size(-3), h = x.size(-2) / factor, w = x.size(-1) / factor;
  const Tensor apart = reshape(x, {n, c, h, factor, w, factor});
  const i64 channels = checkedMul(c, checkedMul(factor, factor));
  return reshape(permute(apart, {0, 1, 3, 5, 2, 4}), withLast(x.shape(), channels, h, w));
}

}  // namespace ember
