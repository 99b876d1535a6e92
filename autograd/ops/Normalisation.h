#pragma once
#include <ember/autograd/Tensor.h>

/// Norms that need no statistics of a batch. x is f32 or f64, and so are weight and bias, which may be undefined (1 and
/// 0). Means and variances are taken in f64; the result is row-major. All are differentiable any number of times in x,
/// weight and bias. Semantics, defaults and shapes are PyTorch's; ShapeError, DtypeError, ValueError (epsilon below 0
/// or not finite) under the name of the function. An empty batch gives an empty result.
namespace ember {

/// y = (x - mean)/sqrt(var + epsilon)·weight + bias over the last axes, whose sizes are `normalized`; var = sum((x -
/// mean)²)/m. weight, bias: of that shape. Ba et al. 2016.
Tensor layerNorm(const Tensor& x, const Shape& normalized, const Tensor& weight = {}, const Tensor& bias = {},
                 double epsilon = 1e-5);
/// y = x/sqrt(mean(x²) + epsilon)·weight over the last axes. Zhang & Sennrich 2019.
Tensor rmsNorm(const Tensor& x, const Shape& normalized, const Tensor& weight = {}, double epsilon = 1e-5);
/// x [N, C, ...]: the channels of a sample fall into `groups` of C/groups, each brought to mean 0 and variance 1 with
/// all its places; then weight and bias [C] a channel. ShapeError unless groups divides C; ValueError if a batch of one
/// sample has one value a group. Wu & He 2018.
Tensor groupNorm(const Tensor& x, i64 groups, const Tensor& weight = {}, const Tensor& bias = {},
                 double epsilon = 1e-5);
/// x [N, C, ...]: each channel of each sample by itself. ValueError if it has one value. Ulyanov et al. 2016.
Tensor instanceNorm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {}, double epsilon = 1e-5);
/// y[c] = x[c] / (k + alpha/size·sum of x² over the channels c - size/2 ... c + (size-1)/2)^beta, channels outside
/// counting as 0; x [N, C, ...] of rank 3 or more. ValueError unless size >= 1. Krizhevsky et al. 2012.
Tensor localResponseNorm(const Tensor& x, i64 size, double alpha = 1e-4, double beta = 0.75, double k = 1);
/// x / max(sqrt(sum(x²)), epsilon) along `axis`: of length 1. The gradient of the length is 0 where it is below
/// epsilon.
Tensor normalize(const Tensor& x, int axis = 1, double epsilon = 1e-12);

}  // namespace ember
