#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/BatchNormInt8.h>
#include <ember/autograd/ops/Conv.h>
#include <ember/autograd/ops/MatMul.h>
#include <ember/autograd/ops/Pool.h>

#include "autograd/OpSamples.h"
#include "support/Draw.h"

// Products, convolutions, pools and batch norm.

namespace ember::test {
namespace {

OpSample product(const char* name, const Shape& a, const Shape& b, std::vector<int> batched = {}) {
  return {
      name, {draw(name, a), draw("b", b)}, [](const Tensors& in) { return matmul(in[0], in[1]); }, std::move(batched)};
}

OpSample linearSample(const char* name, const Shape& x, bool bias) {
  return {name,
          {draw(name, x), draw("w", {2, x.back()}), bias ? draw("b", {2}) : Tensor()},
          [](const Tensors& in) { return linear(in[0], in[1], in[2]); },
          {0},
          {},
          {2}};
}

OpSample convolution(const char* name, const Shape& x, const Shape& w, const ConvOptions& options = {},
                     bool bias = true) {
  const int spatial = x.rank() - 2;
  return {name,
          {draw(name, x), draw("w", w), bias ? draw("b", {w[0]}) : Tensor()},
          [=](const Tensors& in) { return convND(spatial, in[0], in[1], in[2], options); },
          {0},
          {},
          {2}};
}

OpSample maximum(const char* name, const Shape& x, const PoolOptions& options = {}) {
  return {
      name,
      {distinct(name, x)},
      [=](const Tensors& in) { return maxPoolND(in[0].defined() ? in[0].rank() - 2 : x.rank() - 2, in[0], options); },
      {0}};
}

OpSample average(const char* name, const Shape& x, const PoolOptions& options = {}) {
  return {
      name,
      {draw(name, x)},
      [=](const Tensors& in) { return avgPoolND(in[0].defined() ? in[0].rank() - 2 : x.rank() - 2, in[0], options); },
      {0}};
}

/// Running statistics are made anew for every call: a training forward writes them.
OpSample norm(const char* name, const Shape& x, const BatchNormOptions& options, bool affine = true,
              bool running = true, bool residual = false) {
  const Shape c{x.at(options.channelAxis)};
  const Tensor mean = running ? draw("mean", c) : Tensor(), var = running ? draw("var", c, 0.5, 2) : Tensor();
  return {name,
          {distinct(name, x), affine ? draw("gamma", c, 0.5, 1.5) : Tensor(), affine ? draw("beta", c) : Tensor(),
           residual ? distinct("residual", x) : Tensor()},
          [=](const Tensors& in) {
            BatchNormOptions own = options;
            own.residual = in[3];
            const DType dtype = in[0].defined() ? in[0].dtype() : DType::F64;
            const auto fresh = [&](const Tensor& t) { return t.defined() ? t.clone().to(dtype) : t; };
            return Tensor(batchNorm(in[0], in[1], in[2], fresh(mean), fresh(var), own));
          },
          residual ? std::vector<int>{0, 3} : std::vector<int>{0},
          {},
          {1, 2, 3}};
}

/// The data lie in [-3, 3], as u8 in [0, 3]; so does the result.
OpSample int8Norm(const char* name, const Shape& x, DType dtype, Int8BatchNormOptions options = {},
                  bool affine = true) {
  const Shape c{x.at(options.channelAxis)};
  const bool hasSign = dtype == DType::I8;
  options.minCalib = -3;
  options.maxCalib = 3;
  return {name,
          {draw(name, x, hasSign ? -128 : 0, hasSign ? 128 : 256).to(dtype),
           affine ? draw("gamma", c, 0.5, 1.5) : Tensor(), affine ? draw("beta", c) : Tensor(), draw("mean", c),
           draw("var", c, 0.5, 2)},
          [=](const Tensors& in) {
            return batchNormInt8(in[0], hasSign ? -3 : 0, 3, in[1], in[2], in[3], in[4], options).y;
          },
          {0},
          {},
          {1, 2}};
}

}  // namespace

void addSpatialSamples(OpRows& rows) {
  rows["matmul"] = {
      {product("two matrices", {2, 3}, {3, 4}, {0}), product("two vectors", {3}, {3}),
       product("a matrix and a vector", {2, 3}, {3}, {0}), product("a vector and a matrix", {3}, {3, 2}),
       product("two batches", {2, 2, 3}, {2, 3, 2}, {0, 1}), product("a batch and a matrix", {2, 2, 3}, {3, 2}, {0}),
       product("a batch and a vector", {2, 2, 3}, {3}, {0}), product("broadcast batches", {2, 1, 2, 3}, {3, 3, 2}, {0}),
       product("nothing to sum", {2, 0}, {0, 3})}};
  rows["linear"] = {{linearSample("with bias", {4, 3}, true), linearSample("without bias", {2, 3}, false),
                     linearSample("sequences", {2, 2, 3}, true),
                     linearSample("one sample without a batch", {3}, true)}};
  rows["linear"].samples.back().batched.clear();

  rows["conv1d"] = {
      {convolution("plain", {2, 2, 5}, {3, 2, 3}),
       convolution("stride, padding, dilation", {1, 2, 9}, {2, 2, 3}, {.stride = 2, .padding = 2, .dilation = 2}),
       convolution("groups", {2, 4, 5}, {2, 2, 2}, {.groups = 2}, false),
       convolution("depthwise", {1, 3, 6}, {3, 1, 3}, {.padding = 1, .groups = 3}),
       convolution("more behind than before", {1, 2, 5}, {2, 2, 3}, {.padding = Padding::sides(0, 2)}),
       convolution("the same size, reflected", {1, 1, 4}, {2, 1, 4},
                   {.padding = Padding::Same, .paddingMode = PadMode::Reflect})}};
  rows["conv2d"] = {{convolution("plain", {2, 2, 4, 4}, {3, 2, 3, 3}),
                     convolution("padding, no bias", {1, 2, 3, 4}, {2, 2, 3, 3}, {.padding = 1}, false),
                     convolution("stride", {1, 2, 5, 5}, {2, 2, 3, 3}, {.stride = 2, .padding = 1}),
                     convolution("dilation", {1, 1, 6, 5}, {2, 1, 3, 2}, {.dilation = {2, 3}}),
                     convolution("every option differs", {1, 2, 7, 6}, {2, 2, 3, 2},
                                 {.stride = {2, 1}, .padding = {0, 2}, .dilation = {1, 2}}),
                     convolution("groups", {1, 4, 3, 3}, {4, 2, 2, 2}, {.groups = 2}),
                     convolution("depthwise", {1, 3, 4, 3}, {3, 1, 3, 3}, {.padding = 1, .groups = 3}),
                     convolution("kernel 1, stride 2", {1, 3, 5, 4}, {2, 3, 1, 1}, {.stride = 2}),
                     convolution("rows that the stride leaves out", {1, 1, 6, 6}, {1, 1, 3, 3}, {.stride = 3}),
                     convolution("other padding behind than before", {1, 2, 4, 4}, {2, 2, 3, 3},
                                 {.padding = Padding::sides({1, 0}, {0, 1})}),
                     convolution("the same size, stride 2", {1, 1, 5, 4}, {2, 1, 3, 2},
                                 {.stride = 2, .padding = Padding::Same}),
                     convolution("circular padding", {1, 1, 3, 4}, {1, 1, 3, 3},
                                 {.padding = {1, 2}, .paddingMode = PadMode::Circular}),
                     convolution("with relu", {2, 2, 4, 4}, {3, 2, 3, 3}, {.act = Act::ReLU}),
                     convolution("with leaky relu", {1, 2, 4, 4}, {3, 2, 3, 3},
                                 {.padding = 1, .act = Act::LeakyReLU, .slope = 0.3}, false),
                     convolution("with a negative slope", {1, 2, 4, 4}, {2, 2, 3, 3},
                                 {.act = Act::LeakyReLU, .slope = -0.3})}};
  rows["conv3d"] = {
      {convolution("plain", {1, 2, 3, 3, 3}, {2, 2, 2, 2, 2}),
       convolution("every option", {1, 2, 4, 4, 3}, {2, 1, 2, 3, 2},
                   {.stride = {1, 2, 1}, .padding = {1, 1, 0}, .dilation = {1, 1, 2}, .groups = 2}, false),
       convolution("replicated border", {1, 1, 2, 2, 2}, {1, 1, 2, 2, 2},
                   {.padding = Padding::sides({1, 0, 0}, {0, 1, 0}), .paddingMode = PadMode::Replicate})}};

  const char *two = "kernel 2", *overlap = "overlapping, padded", *uneven = "every option differs";
  const char* beyond = "a last window beyond the end";
  const char *holes = "holes, a last window beyond the end", *same = "as many windows as elements";
  rows["maxPool1d"] = {
      {maximum(two, {2, 2, 6}), maximum(overlap, {1, 2, 7}, {.kernel = 3, .stride = 2, .padding = 1}),
       maximum(holes, {1, 2, 8}, {.kernel = 3, .stride = 2, .padding = 1, .dilation = 2, .ceilMode = true})}};
  rows["maxPool2d"] = {{maximum(two, {2, 2, 4, 4}),
                        maximum(overlap, {1, 2, 5, 6}, {.kernel = 3, .stride = 2, .padding = 1}),
                        maximum(uneven, {1, 1, 6, 5}, {.kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 0}}),
                        maximum(holes, {1, 2, 5, 6},
                                {.kernel = 2, .stride = {1, 3}, .dilation = {2, 1}, .ceilMode = true}),
                        maximum(same, {1, 1, 5, 4}, {.kernel = {2, 3}, .stride = {1, 2}, .padding = Padding::Same})}};
  rows["maxPool3d"] = {{maximum(two, {1, 2, 4, 2, 4}),
                        maximum(overlap, {1, 1, 3, 4, 5}, {.kernel = {2, 3, 3}, .stride = {1, 2, 2}, .padding = 1}),
                        maximum(holes, {1, 1, 3, 3, 5},
                                {.kernel = 2, .stride = {1, 2, 2}, .dilation = {1, 2, 1}, .ceilMode = true})}};
  rows["avgPool1d"] = {
      {average(two, {2, 2, 6}), average(overlap, {1, 2, 7}, {.kernel = 3, .stride = 2, .padding = 1}),
       average(beyond, {1, 2, 6}, {.kernel = 3, .stride = 2, .padding = 1, .ceilMode = true})}};
  rows["avgPool2d"] = {
      {average(two, {2, 2, 4, 4}), average(overlap, {1, 2, 5, 6}, {.kernel = 3, .stride = 2, .padding = 1}),
       average("padding not counted", {1, 2, 5, 4}, {.kernel = 3, .stride = 2, .padding = 1, .countIncludePad = false}),
       average(uneven, {1, 1, 6, 5}, {.kernel = {3, 2}, .stride = {1, 2}, .padding = {1, 0}}),
       average(beyond, {1, 1, 6, 5}, {.kernel = 3, .stride = 2, .padding = {1, 0}, .ceilMode = true}),
       average("a divisor", {1, 1, 4, 5}, {.kernel = 2, .padding = Padding::sides({0, 1}, 1), .divisorOverride = 3})}};
  rows["avgPool3d"] = {
      {average(two, {1, 2, 4, 2, 4}),
       average(overlap, {1, 1, 3, 4, 5}, {.kernel = {2, 3, 3}, .stride = {1, 2, 2}, .padding = 1}),
       average("padding not counted", {1, 1, 3, 3, 3}, {.kernel = 2, .padding = 1, .countIncludePad = false})}};
  const auto global = [](const Tensors& in) { return globalAvgPool(in[0]); };
  rows["globalAvgPool"] = {{{"sequences", {draw("1", {2, 3, 4})}, global, {0}},
                            {"pictures", {draw("2", {2, 3, 2, 4})}, global, {0}},
                            {"volumes, axes kept",
                             {draw("3", {1, 2, 2, 3, 2})},
                             [](const Tensors& in) { return globalAvgPool(in[0], true); },
                             {0}}}};

  rows["batchNorm"] = {
      {norm("training, [N, C]", {5, 3}, {}), norm("training, [N, C, L]", {3, 2, 3}, {}),
       norm("training, [N, C, H, W]", {2, 3, 2, 2}, {}), norm("training, [N, C, D, H, W]", {2, 2, 2, 1, 2}, {}),
       norm("evaluation", {2, 3, 2, 2}, {.training = false}), norm("frozen", {2, 2, 3}, {.freeze = true}, false),
       norm("not affine", {2, 3, 2, 2}, {}, false), norm("no running statistics", {2, 3, 2}, {}, true, false),
       norm("channels at the end", {2, 2, 3}, {.channelAxis = -1}),
       norm("LeakyReLU behind", {2, 3, 2, 2}, {.act = Act::LeakyReLU, .slope = 0.2}),
       norm("ReLU behind", {2, 3, 2, 2}, {.act = Act::ReLU}),
       norm("evaluation, ReLU behind", {2, 3, 2}, {.training = false, .act = Act::ReLU}),
       norm("a residual, ReLU behind", {2, 3, 2, 2}, {.act = Act::ReLU}, true, true, true),
       norm("a large epsilon", {4, 2, 2}, {.epsilon = 0.5}),
       norm("biased running variance, batch statistics in evaluation", {3, 2, 2},
            {.training = false, .varEstimator = VarEstimator::Biased, .trainableStatistics = true})}};
  rows["batchNormInt8"] = {
      {int8Norm("i8, [N, C]", {5, 3}, DType::I8), int8Norm("u8, [N, C, L]", {3, 2, 3}, DType::U8),
       int8Norm("i8, more elements than bytes", {2, 3, 12, 12}, DType::I8),
       int8Norm("channels at the end", {2, 2, 3}, DType::I8, {.channelAxis = -1}),
       int8Norm("not affine, ReLU behind", {2, 3, 2, 2, 2}, DType::I8, {.act = Act::ReLU}, false),
       int8Norm("u8, MXNet's numbers", {2, 3, 2, 2}, DType::U8, {.range = 127.5, .mxnetEpsilon = true})},
      {{Check::Golden, "PyTorch's quantised batch norm has other scales; BatchNormInt8Test has loops of its own"}}};
}

}  // namespace ember::test
