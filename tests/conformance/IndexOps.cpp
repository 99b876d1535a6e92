// Elements chosen by positions, put at positions, and put in order.
#include <numeric>

#include "conformance/Helpers.h"

namespace ember::test::onnx {
namespace {

/// ONNX's indices count from the end where negative, ember's do not.
Tensor positions(const Tensor& index, i64 size) {
  const Tensor wide = cast(index, DType::I64);
  return where(wide < 0, wide + size, wide);
}

int axisOf(const Call& call, int rank) {
  return normalizeAxis(static_cast<int>(call.integer("axis", 0)), rank, "axis");
}

Tensors gatherAlong(const Call& call) {
  const Tensor& x = call.in(0);
  const int axis = axisOf(call, x.rank());
  return {indexSelect(x, axis, positions(call.in(1), x.size(axis)))};
}

Tensors gatherElements(const Call& call) {
  const Tensor& x = call.in(0);
  const int axis = axisOf(call, x.rank());
  return {gather(x, axis, positions(call.in(1), x.size(axis)))};
}

Tensors scatterElements(const Call& call) {
  const Tensor& x = call.in(0);
  const int axis = axisOf(call, x.rank());
  const Tensor index = positions(call.in(1), x.size(axis));
  const std::string reduction = call.text("reduction", "none");
  if (reduction == "add") return {scatterAdd(x, axis, index, call.in(2))};
  if (reduction != "none") throw Unsupported("scatter with reduction " + reduction);
  return {scatter(x, axis, index, call.in(2))};
}

/// Indices [..., K] name places in the first K axes of x behind `batch` common ones: x with these axes as one, and the
/// places [...] in that.
struct FlatPlaces {
  Tensor x, index;
};
FlatPlaces flatPlaces(const Tensor& x, const Tensor& index, int batch) {
  const int named = static_cast<int>(index.size(-1));
  Tensor place;
  for (int i = 0; i < batch + named; ++i) {
    Shape own = Shape::filled(index.rank() - 1, 1);
    if (i < batch) own[i] = x.size(i);
    const Tensor at = i < batch ? reshape(Tensor::arange(0, static_cast<double>(x.size(i)), 1, DType::I64), own)
                                : positions(select(index, -1, i - batch), x.size(i));
    place = place.defined() ? place * x.size(i) + at : at;
  }
  return {flatten(x, 0, batch + named - 1), place};
}

Tensors gatherNd(const Call& call) {
  const FlatPlaces flat = flatPlaces(call.in(0), call.in(1), static_cast<int>(call.integer("batch_dims", 0)));
  return {indexSelect(flat.x, 0, flat.index)};
}

Tensors scatterNd(const Call& call) {
  const Tensor &x = call.in(0), &updates = call.in(2);
  const FlatPlaces flat = flatPlaces(x, call.in(1), 0);
  const Tensor rows = reshape(flat.x, {flat.x.size(0), -1});
  const Tensor sources = reshape(updates, {flat.index.numel(), -1});
  const Tensor index = expand(reshape(flat.index, {flat.index.numel(), 1}), sources.shape());
  const std::string reduction = call.text("reduction", "none");
  if (reduction != "none" && reduction != "add") throw Unsupported("scatter with reduction " + reduction);
  const Tensor result = reduction == "add" ? scatterAdd(rows, 0, index, sources) : scatter(rows, 0, index, sources);
  return {reshape(result, x.shape())};
}

Tensors compress(const Call& call) {
  const bool flat = !call.hasAttribute("axis");
  const Tensor x = flat ? flatten(call.in(0)) : call.in(0);
  return {indexSelect(x, flat ? 0 : axisOf(call, x.rank()), reshape(nonZero(call.in(1)), {-1}))};
}

Tensors oneHotOf(const Call& call) {
  const i64 classes = static_cast<i64>(call.in(1).item());
  const Tensor index = positions(call.in(0), classes);
  const Tensor inside = logicalAnd(index >= 0, index < classes);
  const Tensor hot = logicalAnd(cast(oneHot(where(inside, index, 0), classes), DType::Bool), unsqueeze(inside, -1));
  const Tensor &off = select(call.in(2), 0, 0), &on = select(call.in(2), 0, 1);
  const int rank = hot.rank(), axis = normalizeAxis(static_cast<int>(call.integer("axis", -1)), rank, "axis");
  std::vector<int> order(static_cast<std::size_t>(rank - 1));
  std::iota(order.begin(), order.end(), 0);
  order.insert(order.begin() + axis, rank - 1);
  return {permute(where(hot, on, off), order)};
}

Tensors hardmax(const Call& call) {
  const Tensor& x = call.in(0);
  const int axis = normalizeAxis(static_cast<int>(call.integer("axis", -1)), x.rank(), "axis");
  return {scatter(Tensor::zeros(x.shape(), x.dtype()), axis, argmax(x, axis, true), 1)};
}

Tensors topK(const Call& call) {
  const int axis = static_cast<int>(call.integer("axis", -1));
  const i64 count = call.list("k", 1)[0];
  const Sorted found = topk(call.in(0), count, axis, call.integer("largest", 1) != 0);
  return {found.values, found.indices};
}

constexpr Row rows[] = {
    {"Compress", Match::Exact, compress},
    {"Gather", Match::Exact, gatherAlong},
    {"GatherElements", Match::Exact, gatherElements},
    {"GatherND", Match::Exact, gatherNd},
    {"Hardmax", Match::Exact, hardmax},
    {"NonZero", Match::Exact, [](const Call& c) { return Tensors{transpose(nonZero(c.in(0)), 0, 1)}; }},
    {"OneHot", Match::Exact, oneHotOf},
    {"Scatter", Match::Exact, scatterElements},
    {"ScatterElements", Match::Exact, scatterElements},
    {"ScatterND", Match::Near, scatterNd},
    {"TopK", Match::Exact, topK},
};

}  // namespace

std::span<const Row> indexOps() { return rows; }

}  // namespace ember::test::onnx
