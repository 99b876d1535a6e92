#pragma once
#include <ember/autograd/ops/Interpolate.h>
#include <ember/nn/Module.h>

namespace ember::nn {

/// Another number of elements along 1 to 3 spatial axes: x [N, C, ...] -> [N, C, ...], by InterpolateOptions:
///
///   nn::Upsample({.scale = {2}})                                            nearest
///   nn::Upsample({.size = {32, 48}, .mode = Interpolation::Linear, .alignCorners = true})
///
/// Throws ValueError at construction on numbers out of range and unless size or scale is given.
class Upsample : public Module {
 public:
  using Module::forward;
  explicit Upsample(InterpolateOptions options);
  Tensor forward(const Tensor& x) override { return interpolate(x, options_); }
  Args args() const override;
  static Upsample fromArgs(const Args& a);
  std::string details() const override;

 private:
  InterpolateOptions options_;
};

/// [N, C·r², H, W] -> [N, C, H·r, W·r] (pixelShuffle). ValueError at construction unless r >= 1.
class PixelShuffle : public Module {
 public:
  using Module::forward;
  explicit PixelShuffle(i64 factor);
  Tensor forward(const Tensor& x) override { return pixelShuffle(x, factor_); }
  Args args() const override { return {{"factor", factor_}}; }
  static PixelShuffle fromArgs(const Args& a) { return PixelShuffle(a.get<i64>("factor")); }
  std::string details() const override { return std::to_string(factor_); }

 private:
  i64 factor_;
};

/// The inverse: [N, C, H·r, W·r] -> [N, C·r², H, W].
class PixelUnshuffle : public Module {
 public:
  using Module::forward;
  explicit PixelUnshuffle(i64 factor);
  Tensor forward(const Tensor& x) override { return pixelUnshuffle(x, factor_); }
  Args args() const override { return {{"factor", factor_}}; }
  static PixelUnshuffle fromArgs(const Args& a) { return PixelUnshuffle(a.get<i64>("factor")); }
  std::string details() const override { return std::to_string(factor_); }

 private:
  i64 factor_;
};

}  // namespace ember::nn
