#include <ember/core/kernels/Reduce.h>

#include <string>
#include <type_traits>

#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/ReduceLoops.h>

namespace ember::core {
namespace {

std::vector<bool> reducedAxes(const Shape& shape, const std::vector<int>& axes, const char* op) {
  std::vector<bool> reduced(static_cast<std::size_t>(shape.rank()), axes.empty());
  for (const int axis : axes) {
    const auto position = static_cast<std::size_t>(normalizeAxis(axis, shape.rank(), op));
    if (reduced[position]) {
      throw ShapeError(op, "axis " + std::to_string(axis) + " is given twice", {{"x", toString(shape)}}, "name each axis once");
    }
    reduced[position] = true;
  }
  return reduced;
}

Shape reducedShape(const Shape& shape, const std::vector<bool>& reduced, bool keepDims) {
  Shape result;
  for (int i = 0; i < shape.rank(); ++i) {
    const bool drops = reduced[static_cast<std::size_t>(i)];
    if (!drops || keepDims) result.push(drops ? 1 : shape[i]);
  }
  return result;
}

const char* wordFor(Reduction kind) {
  switch (kind) {
    case Reduction::Sum: return "sum";
    case Reduction::Mean: return "mean";
    case Reduction::Max: return "maximum";
    case Reduction::Min: return "minimum";
    case Reduction::Prod: break;
  }
  return "product";
}

template <class T> void reduceAs(Reduction kind, const NDArray& x, const std::vector<bool>& reduced, NDArray& out) {
  const ReducePlan plan(x, reduced, out);
  const T* in = x.data<T>();
  T* to = out.data<T>();
  const auto plain = [](auto value) { return static_cast<T>(value); };
  switch (kind) {
    case Reduction::Prod: return reduceBlocks<ProdFold<T>>(plan, to, in, plain);
    case Reduction::Max: return reduceBlocks<MaxFold<T>>(plan, to, in, plain);
    case Reduction::Min: return reduceBlocks<MinFold<T>>(plan, to, in, plain);
    case Reduction::Sum: case Reduction::Mean: break;
  }
  if constexpr (std::is_floating_point_v<T>) {
    // A quotient by 1 is exact: one loop for sums and means.
    const double count = kind == Reduction::Mean ? static_cast<double>(x.numel() / out.numel()) : 1;
    reduceBlocks<SumFold<T>>(plan, to, in, [count](double total) { return static_cast<T>(total / count); });
  } else {
    reduceBlocks<SumFold<T>>(plan, to, in, plain);
  }
}

void checkType(Reduction kind, const NDArray& x, const char* op) {
  const bool mean = kind == Reduction::Mean && !isFloating(x.dtype());
  const bool product = kind == Reduction::Prod && x.dtype() == DType::Bool;
  if (!mean && !product) return;
  throw DtypeError(op, std::string("a ") + wordFor(kind) + " of " + std::string(name(x.dtype())), {{"x", toString(x.shape())}},
                   "convert it with to(DType::F32)");
}

}  // namespace

Shape reduceShape(const Shape& shape, const std::vector<int>& axes, bool keepDims, const char* op) {
  return reducedShape(shape, reducedAxes(shape, axes, op), keepDims);
}

DType reduceDtype(Reduction kind, DType dtype) noexcept {
  const bool narrow = !isFloating(dtype) && dtype != DType::I64;
  return narrow && (kind == Reduction::Sum || kind == Reduction::Prod) ? DType::I64 : dtype;
}

NDArray reduce(Reduction kind, const NDArray& x, const std::vector<int>& axes, bool keepDims, const char* op) {
  checkType(kind, x, op);
  // Small integers are rare and go the way of i64, which holds their sums: loops of their own would cost code.
  if (const DType wide = computeDtype(x.dtype()); wide != x.dtype()) {
    return reduce(kind, x.to(wide), axes, keepDims, op).to(reduceDtype(kind, x.dtype()));
  }
  const std::vector<bool> reduced = reducedAxes(x.shape(), axes, op);
  const Shape kept = reducedShape(x.shape(), reduced, true);
  const MemoryOrder order = keepDims ? resultOrder({&x}, x.rank()) : MemoryOrder::RowMajor;
  NDArray out = NDArray::empty(kept, x.dtype(), order);
  if (x.numel() == 0 && out.numel() > 0) {
    if (kind != Reduction::Sum && kind != Reduction::Prod) {
      throw ValueError(op, std::string("a ") + wordFor(kind) + " over 0 elements", {{"x", toString(x.shape())}},
                       "leave the empty axis out, or check numel() first");
    }
    fill(out, kind == Reduction::Sum ? 0 : 1, nullptr);
  } else if (x.numel() > 0) {
    dispatchWide(x.dtype(), [&](auto zero) { reduceAs<decltype(zero)>(kind, x, reduced, out); });
  }
  return keepDims ? out : *out.viewAs(reducedShape(x.shape(), reduced, false));
}

NDArray sumTo(const NDArray& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  if (shape.rank() > x.rank() || broadcastShapes(x.shape(), shape, "sumTo") != x.shape()) {
    throw ShapeError("sumTo", toString(shape) + " does not broadcast to " + toString(x.shape()));
  }
  std::vector<int> axes;
  const int added = x.rank() - shape.rank();
  for (int i = 0; i < x.rank(); ++i) {
    if (i < added || (shape[i - added] == 1 && x.shape()[i] != 1)) axes.push_back(i);
  }
  NDArray sums = reduce(Reduction::Sum, x, axes, true, "sumTo");
  for (int i = 0; i < added; ++i) sums = sums.squeeze(0);
  return added > 0 ? sums.contiguous() : sums;
}

double squaredNorm(const NDArray& x) {
  if (!isFloating(x.dtype())) {
    throw DtypeError("squaredNorm", "x is " + std::string(name(x.dtype())) + ", expected a floating type",
                     {{"x", toString(x.shape())}}, "convert it with to(DType::F32)");
  }
  if (x.dtype() == DType::BF16) return squaredNorm(x.to(DType::F32));
  if (x.numel() == 0) return 0;
  const std::vector<bool> all(static_cast<std::size_t>(x.rank()), true);
  const NDArray shape = NDArray::shapeOnly(Shape::filled(x.rank(), 1), DType::F64);
  const ReducePlan plan(x, all, shape);
  double total = 0;
  const auto plain = [](double value) { return value; };
  if (x.dtype() == DType::F32) {
    reduceBlocks<SquaresFold<float>>(plan, &total, x.data<float>(), plain);
  } else {
    reduceBlocks<SquaresFold<double>>(plan, &total, x.data<double>(), plain);
  }
  return total;
}

}  // namespace ember::core
