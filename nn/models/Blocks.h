#pragma once
#include <string>

#include <ember/nn/layers/BatchNormND.h>
#include <ember/nn/layers/ConvND.h>
#include <ember/nn/layers/Dropout.h>
#include <ember/nn/layers/Sequential.h>

/// What the nets of nn/models repeat. State has torchvision's names where the net is torchvision's. All take
/// [N, in, H, W]; sizes below 1 are a ValueError of the layers inside.
namespace ember::nn {

/// What goes around a block whose result has another shape than x: a 1x1 convolution with batch norm, or x subsampled
/// with channels of zeros on both sides (options B and A of He et al. 2016).
enum class Shortcut : u8 { Projection, Pad };

/// y = relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)), two 3x3 convolutions: [N, in, H, W] -> [N, out, H/stride,
/// W/stride]. Source: He et al. 2016, arXiv:1512.03385; names as torchvision's BasicBlock.
class BasicBlock : public Module {
 public:
  using Module::forward;
  BasicBlock(i64 in, i64 out, i64 stride = 1, Shortcut shortcut = Shortcut::Projection);
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  static BasicBlock fromArgs(const Args& a);
  std::string details() const override;

 private:
  i64 in_, out_, stride_;
  Shortcut shortcut_;
  Conv2D& conv1_;
  BatchNorm2D& bn1_;
  Conv2D& conv2_;
  BatchNorm2D& bn2_;
  Sequential* downsample_ = nullptr;  ///< null: x itself, or padded
};

/// y = relu(bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))) + shortcut(x)), convolutions 1x1 to `width`, 3x3 with the
/// stride, 1x1 to `out`. Source: He et al. 2016, stride on the 3x3 as in torchvision's Bottleneck, whose names it has.
class Bottleneck : public Module {
 public:
  using Module::forward;
  Bottleneck(i64 in, i64 width, i64 out, i64 stride = 1);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"in", in_}, {"width", width_}, {"out", out_}, {"stride", stride_}}; }
  static Bottleneck fromArgs(const Args& a);
  std::string details() const override;

 private:
  i64 in_, width_, out_, stride_;
  Conv2D& conv1_;
  BatchNorm2D& bn1_;
  Conv2D& conv2_;
  BatchNorm2D& bn2_;
  Conv2D& conv3_;
  BatchNorm2D& bn3_;
  Sequential* downsample_ = nullptr;
};

/// The block of wide residual nets, norm and activation first: h = relu(bn1(x)) and
/// y = conv2(dropout(relu(bn2(conv1(h))))) + x; where the shape changes, + convShortcut(h). Source: Zagoruyko &
/// Komodakis 2016, arXiv:1605.07146.
class WideBlock : public Module {
 public:
  using Module::forward;
  WideBlock(i64 in, i64 out, i64 stride = 1, double dropout = 0);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"in", in_}, {"out", out_}, {"stride", stride_}, {"dropout", dropout_}}; }
  static WideBlock fromArgs(const Args& a);
  std::string details() const override;

 private:
  i64 in_, out_, stride_;
  double dropout_;
  BatchNorm2D& bn1_;
  Conv2D& conv1_;
  BatchNorm2D& bn2_;
  Conv2D& conv2_;
  Conv2D* shortcut_ = nullptr;
  Dropout* drop_ = nullptr;
};

/// A layer of a dense block, which hands on its input with `growth` new channels behind: h = conv1(relu(norm1(x))) with
/// neck·growth channels, y = concat(x, dropout(conv2(relu(norm2(h))))). Source: Huang et al. 2017, arXiv:1608.06993,
/// bottleneck form; names as torchvision's.
class DenseLayer : public Module {
 public:
  using Module::forward;
  DenseLayer(i64 in, i64 growth, i64 neck = 4, double dropout = 0);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"in", in_}, {"growth", growth_}, {"neck", neck_}, {"dropout", dropout_}}; }
  static DenseLayer fromArgs(const Args& a);
  std::string details() const override;

 private:
  i64 in_, growth_, neck_;
  double dropout_;
  BatchNorm2D& norm1_;
  Conv2D& conv1_;
  BatchNorm2D& norm2_;
  Conv2D& conv2_;
  Dropout* drop_ = nullptr;
};

}  // namespace ember::nn
