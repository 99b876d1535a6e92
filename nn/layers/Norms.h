#pragma once
#include <optional>
#include <string>

#include <ember/nn/Module.h>

/// Norms without statistics of a batch, as modules: the functions of autograd/ops/Normalisation.h with their
/// parameters. weight starts at 1, bias at 0. ValueError at construction for sizes below 1 and numbers out of range.
namespace ember::nn {

struct LayerNormOptions {
  double epsilon = 1e-5;
  bool affine = true;  ///< weight and bias of the normalised shape
  bool bias = true;    ///< false: weight alone
};

/// Mean 0 and variance 1 over the last axes of x, whose sizes are `normalized`. State: weight, bias [normalized].
class LayerNorm : public Module {
 public:
  using Module::forward;
  explicit LayerNorm(const Shape& normalized, LayerNormOptions options = {});
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  static LayerNorm fromArgs(const Args& a);
  std::string details() const override { return ember::toString(normalized_); }

  Tensor weight, bias;  ///< undefined without

 private:
  Shape normalized_;
  LayerNormOptions options_;
};

struct RMSNormOptions {
  std::optional<double> epsilon = {};  ///< unset: the distance from 1 to the next number of x's type
  bool affine = true;                  ///< weight of the normalised shape
};

/// Mean square 1 over the last axes of x. State: weight [normalized].
class RMSNorm : public Module {
 public:
  using Module::forward;
  explicit RMSNorm(const Shape& normalized, RMSNormOptions options = {});
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  static RMSNorm fromArgs(const Args& a);
  std::string details() const override { return ember::toString(normalized_); }

  Tensor weight;  ///< undefined without

 private:
  Shape normalized_;
  RMSNormOptions options_;
};

struct GroupNormOptions {
  double epsilon = 1e-5;
  bool affine = true;  ///< weight and bias [channels]
};

/// x [N, channels, ...]: mean 0 and variance 1 over each of `groups` groups of channels of a sample. State: weight,
/// bias [channels]. ValueError unless groups divides channels.
class GroupNorm : public Module {
 public:
  using Module::forward;
  GroupNorm(i64 groups, i64 channels, GroupNormOptions options = {});
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  static GroupNorm fromArgs(const Args& a);
  std::string details() const override;

  Tensor weight, bias;  ///< undefined without

 private:
  i64 groups_, channels_;
  GroupNormOptions options_;
};

struct LocalResponseNormOptions {
  double alpha = 1e-4, beta = 0.75, k = 1;
};

/// x / (k + alpha·mean of x² over `size` neighbouring channels)^beta, x [N, C, ...].
class LocalResponseNorm : public Module {
 public:
  using Module::forward;
  explicit LocalResponseNorm(i64 size, LocalResponseNormOptions options = {});
  Tensor forward(const Tensor& x) override;
  Args args() const override;
  static LocalResponseNorm fromArgs(const Args& a);
  std::string details() const override { return std::to_string(size_); }

 private:
  i64 size_;
  LocalResponseNormOptions options_;
};

}  // namespace ember::nn
