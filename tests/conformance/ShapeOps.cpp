// Views, joins and constants.
#include <algorithm>
#include <limits>
#include <numeric>

#include "conformance/Helpers.h"

namespace ember::test::onnx {
namespace {

Tensors reshapeTo(const Call& call) {
  std::vector<i64> shape = call.list("shape", 1);
  const Tensor& x = call.in(0);
  if (!call.integer("allowzero", 0)) {  // 0 takes over the size of x
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 0) shape[i] = x.size(static_cast<int>(i));
    }
  }
  return {reshape(x, shape)};
}

Tensors flattenAt(const Call& call) {
  const Tensor& x = call.in(0);
  const i64 axis = call.integer("axis", 1);
  const i64 first = axis < 0 ? axis + x.rank() : axis;
  i64 rowCount = 1;
  for (i64 i = 0; i < first; ++i) rowCount *= x.size(static_cast<int>(i));
  return {reshape(x, {rowCount, x.numel() / std::max<i64>(rowCount, 1)})};
}

Tensors transposed(const Call& call) {
  std::vector<i64> order(static_cast<std::size_t>(call.in(0).rank()));
  std::iota(order.rbegin(), order.rend(), 0);
  return {permute(call.in(0), toAxes(call.integers("perm", order)))};
}

/// Positions of axes in a result of that rank, ascending.
std::vector<int> sortedAxes(const std::vector<i64>& axes, i64 rank) {
  std::vector<int> sorted;
  for (const i64 axis : axes) sorted.push_back(static_cast<int>(axis < 0 ? axis + rank : axis));
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

Tensors unsqueezeAll(const Call& call) {
  Tensor x = call.in(0);
  const std::vector<i64> axes = call.list("axes", 1);
  for (const int axis : sortedAxes(axes, x.rank() + static_cast<i64>(axes.size()))) x = unsqueeze(x, axis);
  return {x};
}

Tensors squeezeAll(const Call& call) {
  Tensor x = call.in(0);
  std::vector<i64> ones;
  for (int i = 0; i < x.rank(); ++i) {
    if (x.size(i) == 1) ones.push_back(i);
  }
  const std::vector<int> axes = sortedAxes(call.list("axes", 1, ones), x.rank());
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) x = squeeze(x, *axis);
  return {x};
}

/// slice() with a negative step: what stands between, backwards.
Tensor sliceBackwards(const Tensor& x, int axis, i64 start, i64 stop, i64 step) {
  const i64 size = x.size(axis);
  const auto place = [&](i64 index) { return std::clamp<i64>(index < 0 ? index + size : index, -1, size - 1); };
  return slice(flip(x, {axis}), axis, size - 1 - place(start), size - 1 - place(stop), -step);
}

Tensors sliceAll(const Call& call) {
  Tensor x = call.in(0);
  const std::vector<i64> starts = call.list("starts", 1), stops = call.list("ends", 2);
  std::vector<i64> axes(starts.size());
  std::iota(axes.begin(), axes.end(), 0);
  axes = call.list("axes", 3, axes);
  const std::vector<i64> steps = call.list("steps", 4, std::vector<i64>(starts.size(), 1));
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const int axis = static_cast<int>(axes[i]);
    x = steps[i] > 0 ? slice(x, axis, starts[i], stops[i], steps[i])
                     : sliceBackwards(x, axis, starts[i], stops[i], steps[i]);
  }
  return {x};
}

Tensors splitUp(const Call& call) {
  const Tensor& x = call.in(0);
  const int axis = static_cast<int>(call.integer("axis", 0));
  const std::size_t parts = call.node.outputs.size();
  return split(x, call.list("split", 1, std::vector<i64>(parts, x.size(axis) / static_cast<i64>(parts))), axis);
}

Tensors expandTo(const Call& call) {
  const Tensor& x = call.in(0);
  return {expand(x, broadcastShapes(x.shape(), call.list("shape", 1), "Expand"))};
}

Tensors shapeOf(const Call& call) {
  const std::vector<i64> shape = call.in(0).shape().vector();
  return {
      slice(Tensor::of<i64>(shape), 0, call.integer("start", 0), call.integer("end", std::numeric_limits<i64>::max()))};
}

Tensors constant(const Call& call) {
  if (!call.hasAttribute("value")) throw Unsupported("constants that are no tensors");
  return {call.node.attributes.find("value")->second.tensor};
}

Tensors constantOfShape(const Call& call) {
  const std::vector<i64> shape = call.in(0).toVector<i64>();
  if (!call.hasAttribute("value")) return {Tensor::zeros(shape)};
  const Tensor& value = call.node.attributes.find("value")->second.tensor;
  return {Tensor::full(shape, value.item(), value.dtype())};
}

Tensors range(const Call& call) {
  return {Tensor::arange(call.in(0).item(), call.in(1).item(), call.in(2).item(), call.in(0).dtype())};
}

Tensors eyeLike(const Call& call) {
  const Tensor& x = call.in(0);
  const DType dtype = call.hasAttribute("dtype") ? dtypeOf(call.integer("dtype", 0)) : x.dtype();
  return {Tensor::eye(x.size(0), x.size(1), call.integer("k", 0), dtype)};
}

Tensors triangle(const Call& call) {
  const i64 diagonal = call.has(1) ? static_cast<i64>(call.in(1).item()) : 0;
  return {call.integer("upper", 1) ? triu(call.in(0), diagonal) : tril(call.in(0), diagonal)};
}

/// The first lengths[i] elements of sequence i in reverse order, the rest as they are.
Tensors reverseSequence(const Call& call) {
  const Tensor& x = call.in(0);
  const std::vector<i64> lengths = call.in(1).toVector<i64>();
  const int sequences = static_cast<int>(call.integer("batch_axis", 1)),
            time = static_cast<int>(call.integer("time_axis", 0));
  Tensors parts;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    const i64 at = static_cast<i64>(i);
    const Tensor one = slice(x, sequences, at, at + 1);
    const Tensors pieces = split(one, {lengths[i], x.size(time) - lengths[i]}, time);
    parts.push_back(concat({flip(pieces[0], {time}), pieces[1]}, time));
  }
  return {concat(parts, sequences)};
}

constexpr Row rows[] = {
    {"Concat", Match::Exact,
     [](const Call& c) { return Tensors{concat(c.inputs, static_cast<int>(c.integer("axis", 0)))}; }},
    {"Constant", Match::Exact, constant},
    {"ConstantOfShape", Match::Exact, constantOfShape},
    {"Expand", Match::Exact, expandTo},
    {"EyeLike", Match::Exact, eyeLike},
    {"Flatten", Match::Exact, flattenAt},
    {"Identity", Match::Exact, [](const Call& c) { return Tensors{c.in(0)}; }},
    {"Range", Match::Exact, range},
    {"Reshape", Match::Exact, reshapeTo},
    {"ReverseSequence", Match::Exact, reverseSequence},
    {"Shape", Match::Exact, shapeOf},
    {"Size", Match::Exact,
     [](const Call& c) { return Tensors{Tensor::scalar(static_cast<double>(c.in(0).numel()), DType::I64)}; }},
    {"Slice", Match::Exact, sliceAll},
    {"Split", Match::Exact, splitUp},
    {"Squeeze", Match::Exact, squeezeAll},
    {"Tile", Match::Exact, [](const Call& c) { return Tensors{repeat(c.in(0), c.list("repeats", 1))}; }},
    {"Transpose", Match::Exact, transposed},
    {"Trilu", Match::Exact, triangle},
    {"Unsqueeze", Match::Exact, unsqueezeAll},
};

}  // namespace

std::span<const Row> shapeOps() { return rows; }

}  // namespace ember::test::onnx
