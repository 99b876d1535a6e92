// Convolutions, pools, padding.
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

Tensors convolution(const Call& call) {
  const Tensor &x = call.in(0), &filters = call.in(1);
  const std::vector<i64> shape = filters.shape().vector();
  const Window w = windowOf(call, {shape.begin() + 2, shape.end()});
  ConvOptions options;
  options.stride = Sizes(w.stride);
  options.dilation = Sizes(w.dilation);
  options.groups = call.integer("group", 1);
  const Tensor bias = call.has(2) ? call.in(2) : Tensor();
  if (w.before == w.after) {
    options.padding = Sizes(w.before);
    return {convND(w.axes(), x, filters, bias, options)};
  }
  return {convND(w.axes(), surrounded(x, w, 0), filters, bias, options)};
}

Window poolWindow(const Call& call) {
  const Window w = windowOf(call, call.integers("kernel_shape", {}));
  if (call.integer("ceil_mode", 0)) throw Unsupported("pools with ceil_mode");
  if (w.dilation != std::vector<i64>(w.kernel.size(), 1)) throw Unsupported("dilated pools");
  return w;
}

PoolOptions unpadded(const Window& w) {
  PoolOptions options;
  options.kernel = Sizes(w.kernel);
  options.stride = Sizes(w.stride);
  return options;
}

Tensors maxPool(const Call& call) {
  const Window w = poolWindow(call);
  const DType dtype = call.in(0).dtype();
  const Tensor floating = isFloating(dtype) ? call.in(0) : cast(call.in(0), DType::F32);  // exact for 8 bits
  const Tensor x = surrounded(floating, w, -std::numeric_limits<double>::infinity());
  return {cast(maxPoolND(w.axes(), x, unpadded(w)), dtype)};
}

Tensors averagePool(const Call& call) {
  const Window w = poolWindow(call);
  const Tensor& x = call.in(0);
  const Tensor means = avgPoolND(w.axes(), surrounded(x, w, 0), unpadded(w));
  if (!w.padded() || call.integer("count_include_pad", 0)) return {means};
  const Tensor ones = Tensor::ones(x.shape(), x.dtype());
  return {means / avgPoolND(w.axes(), surrounded(ones, w, 0), unpadded(w))};
}

Tensors globalMaxPool(const Call& call) {
  std::vector<int> axes;
  for (int i = 2; i < call.in(0).rank(); ++i) axes.push_back(i);
  return {amax(call.in(0), axes, true)};
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

constexpr Row rows[] = {
    {"AveragePool", Match::Near, averagePool},
    {"Conv", Match::Near, convolution},
    {"GlobalAveragePool", Match::Near, [](const Call& c) { return Tensors{globalAvgPool(c.in(0), true)}; }},
    {"GlobalMaxPool", Match::Exact, globalMaxPool},
    {"MaxPool", Match::Exact, maxPool},
    {"Pad", Match::Exact, padAround},
};

}  // namespace

std::span<const Row> spatialOps() { return rows; }

}  // namespace ember::test::onnx
