// Convolutions, pools, padding.
#include <algorithm>
#include <cmath>
#include <limits>

#include "conformance/Helpers.h"

namespace ember::test::onnx {
namespace {

/// The spatial attributes that convolutions and pools share; axes are the spatial ones.
struct Window {
  std::vector<i64> kernel, stride, dilation, before, after;

  int axes() const { return static_cast<int>(kernel.size()); }
  bool padded() const {
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (before[i] != 0 || after[i] != 0) return true;
    }
    return false;
  }
};

Window windowOf(const Call& call, const std::vector<i64>& kernel) {
  const std::size_t axes = kernel.size();
  Window w{kernel,
           call.integers("strides", std::vector<i64>(axes, 1)),
           call.integers("dilations", std::vector<i64>(axes, 1)),
           {},
           {}};
  const std::vector<i64> pads = call.integers("pads", std::vector<i64>(2 * axes, 0));
  const std::string automatic = call.text("auto_pad", "NOTSET");
  for (std::size_t i = 0; i < axes; ++i) {
    if (automatic.starts_with("SAME")) {  // as many results as steps fit into x
      const i64 size = call.in(0).size(static_cast<int>(i) + 2);
      const i64 results = (size + w.stride[i] - 1) / w.stride[i];
      const i64 total = std::max<i64>((results - 1) * w.stride[i] + (kernel[i] - 1) * w.dilation[i] + 1 - size, 0);
      w.before.push_back(automatic == "SAME_UPPER" ? total / 2 : total - total / 2);
      w.after.push_back(total - w.before.back());
    } else {
      w.before.push_back(automatic == "VALID" ? 0 : pads[i]);
      w.after.push_back(automatic == "VALID" ? 0 : pads[i + axes]);
    }
  }
  return w;
}

/// x with the window's padding around its spatial axes.
Tensor surrounded(const Tensor& x, const Window& w, double value) {
  if (!w.padded()) return x;
  std::vector<i64> before{0, 0}, after{0, 0};
  before.insert(before.end(), w.before.begin(), w.before.end());
  after.insert(after.end(), w.after.begin(), w.after.end());
  return pad(x, before, after, value);
}

Padding paddingOf(const Window& w) { return Padding::sides(Sizes(w.before), Sizes(w.after)); }

Tensors convolution(const Call& call) {
  const std::vector<i64> shape = call.in(1).shape().vector();
  const Window w = windowOf(call, {shape.begin() + 2, shape.end()});
  ConvOptions options;
  options.stride = Sizes(w.stride);
  options.padding = paddingOf(w);
  options.dilation = Sizes(w.dilation);
  options.groups = call.integer("group", 1);
  return {convND(w.axes(), call.in(0), call.in(1), call.has(2) ? call.in(2) : Tensor(), options)};
}

/// The padding is given, or follows from the size of the result; a result beyond what the kernel reaches is zeros
/// behind.
Tensors transposedConvolution(const Call& call) {
  const Tensor &x = call.in(0), &filters = call.in(1);
  const std::vector<i64> shape = filters.shape().vector(), kernel(shape.begin() + 2, shape.end());
  Window w = windowOf(call, kernel);
  std::vector<i64> extra = call.integers("output_padding", std::vector<i64>(kernel.size(), 0));
  const std::string automatic = call.text("auto_pad", "NOTSET");
  std::vector<i64> sizes = call.integers("output_shape", {});
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const i64 steps = x.size(static_cast<int>(i) + 2);
    if (automatic.starts_with("SAME") && sizes.size() == i) sizes.push_back(steps * w.stride[i]);
    if (sizes.size() <= i) continue;
    const i64 total = (steps - 1) * w.stride[i] + extra[i] + (kernel[i] - 1) * w.dilation[i] + 1 - sizes[i];
    extra[i] += std::max<i64>(-total, 0);
    const i64 half = std::max<i64>(total, 0) / 2, rest = std::max<i64>(total, 0) - half;
    w.before[i] = automatic == "SAME_UPPER" ? half : rest;
    w.after[i] = automatic == "SAME_UPPER" ? rest : half;
  }
  ConvTransposeOptions options;
  options.stride = Sizes(w.stride);
  options.padding = paddingOf(w);
  options.outputPadding = Sizes(extra);
  options.dilation = Sizes(w.dilation);
  options.groups = call.integer("group", 1);
  return {convTransposeND(w.axes(), x, filters, call.has(2) ? call.in(2) : Tensor(), options)};
}

/// x and the options of its pool. Where the padding is more than ember's pools take it is put around x before.
std::pair<Tensor, PoolOptions> poolOf(const Tensor& x, const Window& w, bool ceilMode, double around) {
  PoolOptions options;
  options.kernel = Sizes(w.kernel);
  options.stride = Sizes(w.stride);
  options.dilation = Sizes(w.dilation);
  options.ceilMode = ceilMode;
  bool wide = false;
  for (std::size_t i = 0; i < w.kernel.size(); ++i) wide |= 2 * std::max(w.before[i], w.after[i]) > w.kernel[i];
  if (wide) return {surrounded(x, w, around), options};
  options.padding = paddingOf(w);
  return {x, options};
}

/// Positions in one plane as positions in all of x, or the other order of the plane's axes.
Tensor positionsInAll(const Tensor& index, const Tensor& x, bool columnMajor) {
  i64 plane = 1;
  for (int i = 2; i < x.rank(); ++i) plane *= x.size(i);
  Tensor inPlane = index;
  if (columnMajor) {
    if (x.rank() != 4) throw Unsupported("column-major positions beyond two axes");
    inPlane = index % x.size(3) * x.size(2) + index / x.size(3);
  }
  Shape planes = Shape::filled(x.rank(), 1);
  planes[0] = x.size(0);
  planes[1] = x.size(1);
  const Tensor first = Tensor::arange(0, static_cast<double>(x.size(0) * x.size(1)), 1, DType::I64);
  return inPlane + reshape(first, planes) * plane;
}

Tensors maxPool(const Call& call) {
  const Window w = windowOf(call, call.integers("kernel_shape", {}));
  const DType dtype = call.in(0).dtype();
  const Tensor floating = isFloating(dtype) ? call.in(0) : cast(call.in(0), DType::F32);  // exact for 8 bits
  const auto [x, options] =
      poolOf(floating, w, call.integer("ceil_mode", 0) != 0, -std::numeric_limits<double>::infinity());
  if (call.node.outputs.size() == 1) return {cast(maxPoolND(w.axes(), x, options), dtype)};
  if (x.shape() != floating.shape()) throw Unsupported("positions behind wide padding");
  const PoolWithIndices found = maxPoolNDWithIndices(w.axes(), x, options);
  return {cast(found.y, dtype), positionsInAll(found.indices, x, call.integer("storage_order", 0) != 0)};
}

Tensors maxUnpool(const Call& call) {
  const Tensor& x = call.in(0);
  const Window w = windowOf(call, call.integers("kernel_shape", {}));
  std::vector<i64> size, before(static_cast<std::size_t>(x.rank()), 0), after = before;
  i64 plane = 1;
  for (std::size_t i = 0; i < w.kernel.size(); ++i) {
    const i64 steps = x.size(static_cast<int>(i) + 2);
    size.push_back((steps - 1) * w.stride[i] + w.kernel[i] - w.before[i] - w.after[i]);
    plane *= size.back();
  }
  Tensor y = maxUnpoolND(w.axes(), x, call.in(1) % plane, Sizes(size));
  if (!call.has(2)) return {y};
  const std::vector<i64> wanted = call.in(2).toVector<i64>();  // zeros behind what the positions know of
  for (std::size_t i = 0; i < wanted.size(); ++i) after[i] = wanted[i] - y.size(static_cast<int>(i));
  return {pad(y, before, after)};
}

Tensors averagePool(const Call& call) {
  const Window w = windowOf(call, call.integers("kernel_shape", {}));
  const bool countPad = call.integer("count_include_pad", 0) != 0, ceilMode = call.integer("ceil_mode", 0) != 0;
  auto [x, options] = poolOf(call.in(0), w, ceilMode, 0);
  options.countIncludePad = countPad;
  const Tensor means = avgPoolND(w.axes(), x, options);
  if (countPad || x.shape() == call.in(0).shape()) return {means};
  const Tensor ones = surrounded(Tensor::ones(call.in(0).shape(), x.dtype()), w, 0);
  return {means / avgPoolND(w.axes(), ones, options)};
}

Tensors padAround(const Call& call) {
  const Tensor& x = call.in(0);
  const std::string mode = call.text("mode", "constant");
  const std::vector<i64> pads = call.list("pads", 1);
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(pads.size() / 2);
  const std::vector<i64> before(pads.begin(), middle), after(middle, pads.end());
  if (mode == "constant") return {pad(x, before, after, call.scalar("value", 2, 0))};
  return {pad(x, before, after, mode == "reflect" ? PadMode::Reflect : padMode(mode == "edge" ? "replicate" : mode))};
}

/// Which interpolation of ember an ONNX Resize from `from` to `to` elements means. Throws Unsupported where none does.
Interpolation interpolationOf(const Call& call, const std::string& transform, i64 from, i64 to, double scale) {
  const std::string mode = call.text("mode", "nearest");
  if (mode == "nearest") {
    const std::string rounding = call.text("nearest_mode", "round_prefer_floor");
    if (transform == "asymmetric" && rounding == "floor") return Interpolation::Nearest;
    if (transform != "half_pixel" || !rounding.starts_with("round")) {
      throw Unsupported("nearest: " + transform + " and " + rounding);
    }
    for (i64 p = 0; p < to && rounding == "round_prefer_floor"; ++p) {
      const double place = (static_cast<double>(p) + 0.5) / scale;
      if (place == std::floor(place) && place > 0 && place < static_cast<double>(from)) {
        throw Unsupported("nearest: the lower of two equally near");
      }
    }
    return Interpolation::NearestExact;
  }
  if (transform != "half_pixel" && transform != "align_corners" && !(transform == "pytorch_half_pixel" && to > 1)) {
    throw Unsupported(mode + ": " + transform);
  }
  if (mode == "linear") return Interpolation::Linear;
  if (call.number("cubic_coeff_a", -0.75) != -0.75 || call.integer("exclude_outside", 0)) {
    throw Unsupported("cubic: another kernel");
  }
  return Interpolation::Cubic;
}

Tensors resize(const Call& call) {
  const Tensor& x = call.in(0);
  const bool upsample = call.node.op == "Upsample";
  const std::string transform = upsample ? "asymmetric" : call.text("coordinate_transformation_mode", "half_pixel");
  const std::size_t scalesAt = upsample || call.opset < 11 ? 1 : 2;
  InterpolateOptions options;
  options.alignCorners = transform == "align_corners";
  std::vector<i64> sizes;
  std::vector<double> scales(static_cast<std::size_t>(x.rank()), 1);
  if (call.has(3) && call.in(3).numel() > 0) {
    sizes = call.in(3).toVector<i64>();
    for (int i = 0; i < x.rank(); ++i) {
      scales[static_cast<std::size_t>(i)] =
          static_cast<double>(sizes[static_cast<std::size_t>(i)]) / static_cast<double>(x.size(i));
    }
  } else {
    scales = call.in(scalesAt).toVector<double>();
  }
  if (scales[0] != 1 || scales[1] != 1) throw Unsupported("resizing of batch or channels");
  for (int i = 2; i < x.rank(); ++i) {
    const double scale = scales[static_cast<std::size_t>(i)], exact = scale * static_cast<double>(x.size(i));
    const i64 to = sizes.empty() ? static_cast<i64>(std::floor(exact)) : sizes[static_cast<std::size_t>(i)];
    if (upsample && call.text("mode", "nearest") == "nearest") {
      options.mode = Interpolation::Nearest;
    } else {
      options.mode = interpolationOf(call, transform, x.size(i), to, scale);
    }
    if (options.alignCorners && exact != static_cast<double>(to)) {
      throw Unsupported("aligned corners of a fractional size");
    }
  }
  const auto spatial = [](const auto& list) { return std::vector(list.begin() + 2, list.end()); };
  if (sizes.empty()) {
    options.scale = spatial(scales);
  } else {
    options.size = Sizes(spatial(sizes));
  }
  return {interpolate(x, options)};
}

/// x with its channels, blocks of `inner` in `outer`, in the other order.
Tensor regrouped(const Tensor& x, i64 outer, i64 inner) {
  std::vector<i64> apart = x.shape().vector();
  apart[1] = inner;
  apart.insert(apart.begin() + 1, outer);
  return reshape(transpose(reshape(x, apart), 1, 2), x.shape());
}

Tensors depthToSpace(const Call& call) {
  const Tensor& x = call.in(0);
  const i64 factor = call.integer("blocksize", 1), square = factor * factor;
  const bool blocksFirst = call.text("mode", "DCR") == "DCR";
  return {pixelShuffle(blocksFirst ? regrouped(x, square, x.size(1) / square) : x, factor)};
}

Tensors spaceToDepth(const Call& call) {
  const i64 factor = call.integer("blocksize", 1);
  return {regrouped(pixelUnshuffle(call.in(0), factor), call.in(0).size(1), factor * factor)};
}

constexpr Row rows[] = {
    {"AveragePool", Match::Near, averagePool},
    {"Conv", Match::Near, convolution},
    {"ConvTranspose", Match::Near, transposedConvolution},
    {"DepthToSpace", Match::Exact, depthToSpace},
    {"GlobalAveragePool", Match::Near, [](const Call& c) { return Tensors{globalAvgPool(c.in(0), true)}; }},
    {"GlobalMaxPool", Match::Exact, [](const Call& c) { return Tensors{globalMaxPool(c.in(0), true)}; }},
    {"MaxPool", Match::Exact, maxPool},
    {"MaxUnpool", Match::Exact, maxUnpool},
    {"Pad", Match::Exact, padAround},
    {"Resize", Match::Near, resize},
    {"SpaceToDepth", Match::Exact, spaceToDepth},
    {"Upsample", Match::Near, resize},
};

}  // namespace

std::span<const Row> spatialOps() { return rows; }

}  // namespace ember::test::onnx
