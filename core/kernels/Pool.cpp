#include <ember/core/kernels/Pool.h>

#include <string>

#include <ember/core/Error.h>

namespace ember::core {
namespace {

std::string joined(const std::array<i64, 3>& values, int spatial) {
  std::string text;
  for (int i = 0; i < spatial; ++i) text += (i > 0 ? "x" : "") + std::to_string(values[static_cast<std::size_t>(i)]);
  return text;
}

void checkAtLeast(const char* op, const char* what, i64 value, i64 least) {
  if (value >= least) return;
  throw ValueError(op,
                   std::string(what) + " is " + std::to_string(value) + ", must be at least " + std::to_string(least));
}

}  // namespace

Shape poolShape(const Shape& x, const PoolGeometry& g, const char* op) {
  const auto details = [&] { return Error::Details{{"input", "x " + toString(x)}}; };
  if (x.rank() != g.spatial + 2) {
    throw ShapeError(op, "input has rank " + std::to_string(x.rank()) + ", expected " + std::to_string(g.spatial + 2),
                     details(), "the input is [N, C] and " + std::to_string(g.spatial) + " spatial axes");
  }
  Shape y{x[0], x[1]};
  std::array<i64, 3> padded{};
  bool fits = true;
  for (int i = 0; i < g.spatial; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    checkAtLeast(op, "kernel size", g.kernel[axis], 1);
    checkAtLeast(op, "stride", g.stride[axis], 1);
    checkAtLeast(op, "padding", g.pad[axis], 0);
    if (g.pad[axis] > g.kernel[axis] / 2) {
      throw ValueError(op,
                       "padding " + std::to_string(g.pad[axis]) + " is more than half of kernel size " +
                           std::to_string(g.kernel[axis]),
                       details(),
                       "a window would lie in the padding alone; use at most " + std::to_string(g.kernel[axis] / 2));
    }
    padded[axis] = checkedAdd(x[2 + i], checkedMul(2, g.pad[axis]));
    fits = fits && x[2 + i] > 0 && g.kernel[axis] <= padded[axis];
    y.push((padded[axis] - g.kernel[axis]) / g.stride[axis] + 1);
  }
  if (!fits) {
    throw ShapeError(
        op, "kernel " + joined(g.kernel, g.spatial) + " is larger than the padded input " + joined(padded, g.spatial),
        details(), "use a smaller kernel, or pool less before this layer");
  }
  numel(y);  // throws if it overflows
  return y;
}

}  // namespace ember::core
