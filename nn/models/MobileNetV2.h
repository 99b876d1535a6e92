#pragma once
#include <ember/nn/layers/Sequential.h>

namespace ember::nn {

/// Inverted residual block: 1x1 convolution to expand·in channels (none where expand is 1), 3x3 depthwise with the
/// stride, 1x1 to `out`, each with batch norm, the first two with ReLU6; plus x where the shape stays. [N, in, H, W] ->
/// [N, out, H/stride, W/stride]. ValueError unless stride is 1 or 2. Source: Sandler et al. 2018, arXiv:1801.04381;
/// names as torchvision's.
class InvertedResidual : public Module {
 public:
  using Module::forward;
  InvertedResidual(i64 in, i64 out, i64 stride, i64 expand);
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"in", in_}, {"out", out_}, {"stride", stride_}, {"expand", expand_}}; }
  static InvertedResidual fromArgs(const Args& a);
  std::string details() const override;

 private:
  i64 in_, out_, stride_, expand_;
  Sequential& conv_;
};

namespace models {

struct MobileNetV2Options {
  i64 channels = 3;
  i64 classes = 1000;
  double width = 1;      ///< times the channels of every layer, rounded to multiples of 8; above 0
  double dropout = 0.2;  ///< before the classifier
};

/// MobileNetV2 for pictures of 224x224 (or any size from 32 up): [N, channels, H, W] -> [N, classes]. Structure,
/// parameters (3,504,872), state names and start are torchvision's mobilenet_v2. ValueError unless width > 0.
Sequential mobileNetV2(const MobileNetV2Options& options = {});

}  // namespace models
}  // namespace ember::nn
