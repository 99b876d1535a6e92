#include <ember/nn/models/Blocks.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>

namespace ember::nn {
namespace {

Conv2D conv(i64 in, i64 out, i64 kernel, i64 stride = 1) {
  return Conv2D(in, out, {.kernel = kernel, .stride = stride, .padding = kernel / 2, .bias = false});
}

BatchNorm2D activated(i64 channels) { return BatchNorm2D(channels, {.act = Act::ReLU}); }

/// conv and norm, as torchvision's "downsample".
Sequential projection(i64 in, i64 out, i64 stride) { return Sequential(conv(in, out, 1, stride), BatchNorm2D(out)); }

std::string arrow(i64 in, i64 out, i64 stride) {
  return std::to_string(in) + " -> " + std::to_string(out) + (stride == 1 ? "" : ", stride " + std::to_string(stride));
}

std::string dropoutText(double p) { return p == 0 ? "" : ", dropout " + Value(p).dump(); }

}  // namespace

// ---- BasicBlock ----

BasicBlock::BasicBlock(i64 in, i64 out, i64 stride, Shortcut shortcut)
    : in_(in),
      out_(out),
      stride_(stride),
      shortcut_(shortcut),
      conv1_(add("conv1", conv(in, out, 3, stride))),
      bn1_(add("bn1", activated(out))),
      conv2_(add("conv2", conv(out, out, 3))),
      bn2_(add("bn2", activated(out))) {
  if (in == out && stride == 1) return;
  if (shortcut == Shortcut::Projection) {
    downsample_ = &add("downsample", projection(in, out, stride));
  } else if (out < in || (out - in) % 2 != 0) {
    throw ValueError("BasicBlock",
                     "as many channels of zeros on both sides cannot make " + std::to_string(in) + " channels " +
                         std::to_string(out),
                     {}, "use Shortcut::Projection");
  }
}

Tensor BasicBlock::forward(const Tensor& x) {
  Tensor around = x;
  if (downsample_) {
    around = (*downsample_)(x);
  } else if ((in_ != out_ || stride_ != 1) && x.rank() == 4) {  // of another rank conv1 will tell
    const i64 zeros = (out_ - in_) / 2;
    const Tensor every = slice(slice(x, 2, 0, x.size(2), stride_), 3, 0, x.size(3), stride_);
    around = pad(every, {0, zeros, 0, 0}, {0, zeros, 0, 0});
  }
  return bn2_(conv2_(bn1_(conv1_(x))), around);
}

Args BasicBlock::args() const {
  return {{"in", in_},
          {"out", out_},
          {"stride", stride_},
          {"shortcut", shortcut_ == Shortcut::Pad ? "pad" : "projection"}};
}

BasicBlock BasicBlock::fromArgs(const Args& a) {
  const auto shortcut = a.get<std::string>("shortcut");
  if (shortcut != "pad" && shortcut != "projection")
    throw ValueError("BasicBlock", "there is no shortcut \"" + shortcut + "\"", {}, "use projection or pad");
  return BasicBlock(a.get<i64>("in"), a.get<i64>("out"), a.get<i64>("stride"),
                    shortcut == "pad" ? Shortcut::Pad : Shortcut::Projection);
}

std::string BasicBlock::details() const {
  return arrow(in_, out_, stride_) + (shortcut_ == Shortcut::Pad ? ", padded shortcut" : "");
}

// ---- Bottleneck ----

Bottleneck::Bottleneck(i64 in, i64 width, i64 out, i64 stride)
    : in_(in),
      width_(width),
      out_(out),
      stride_(stride),
      conv1_(add("conv1", conv(in, width, 1))),
      bn1_(add("bn1", activated(width))),
      conv2_(add("conv2", conv(width, width, 3, stride))),
      bn2_(add("bn2", activated(width))),
      conv3_(add("conv3", conv(width, out, 1))),
      bn3_(add("bn3", activated(out))) {
  if (in != out || stride != 1) downsample_ = &add("downsample", projection(in, out, stride));
}

Tensor Bottleneck::forward(const Tensor& x) {
  const Tensor around = downsample_ ? (*downsample_)(x) : x;
  return bn3_(conv3_(bn2_(conv2_(bn1_(conv1_(x))))), around);
}

Bottleneck Bottleneck::fromArgs(const Args& a) {
  return Bottleneck(a.get<i64>("in"), a.get<i64>("width"), a.get<i64>("out"), a.get<i64>("stride"));
}

std::string Bottleneck::details() const { return arrow(in_, out_, stride_) + ", width " + std::to_string(width_); }

// ---- WideBlock ----

WideBlock::WideBlock(i64 in, i64 out, i64 stride, double dropout)
    : in_(in),
      out_(out),
      stride_(stride),
      dropout_(dropout),
      bn1_(add("bn1", activated(in))),
      conv1_(add("conv1", conv(in, out, 3, stride))),
      bn2_(add("bn2", activated(out))),
      conv2_(add("conv2", conv(out, out, 3))) {
  if (in != out || stride != 1) shortcut_ = &add("convShortcut", Conv2D(in, out, {.stride = stride, .bias = false}));
  if (dropout != 0) drop_ = &add("dropout", Dropout(dropout));
}

Tensor WideBlock::forward(const Tensor& x) {
  const Tensor h = bn1_(x);
  Tensor y = bn2_(conv1_(h));
  if (drop_) y = (*drop_)(y);
  return conv2_(y) + (shortcut_ ? (*shortcut_)(h) : x);
}

WideBlock WideBlock::fromArgs(const Args& a) {
  return WideBlock(a.get<i64>("in"), a.get<i64>("out"), a.get<i64>("stride"), a.get<double>("dropout"));
}

std::string WideBlock::details() const { return arrow(in_, out_, stride_) + dropoutText(dropout_); }

// ---- DenseLayer ----

DenseLayer::DenseLayer(i64 in, i64 growth, i64 neck, double dropout)
    : in_(in),
      growth_(growth),
      neck_(neck),
      dropout_(dropout),
      norm1_(add("norm1", activated(in))),
      conv1_(add("conv1", conv(in, checkedMul(neck, growth), 1))),
      norm2_(add("norm2", activated(checkedMul(neck, growth)))),
      conv2_(add("conv2", conv(checkedMul(neck, growth), growth, 3))) {
  if (dropout != 0) drop_ = &add("dropout", Dropout(dropout));
}

Tensor DenseLayer::forward(const Tensor& x) {
  Tensor fresh = conv2_(norm2_(conv1_(norm1_(x))));
  if (drop_) fresh = (*drop_)(fresh);
  return concat({x, fresh}, 1);
}

DenseLayer DenseLayer::fromArgs(const Args& a) {
  return DenseLayer(a.get<i64>("in"), a.get<i64>("growth"), a.get<i64>("neck"), a.get<double>("dropout"));
}

std::string DenseLayer::details() const {
  return std::to_string(in_) + " + " + std::to_string(growth_) + dropoutText(dropout_);
}

}  // namespace ember::nn
