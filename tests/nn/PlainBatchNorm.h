#pragma once
#include <functional>

#include <ember/autograd/Tensor.h>

/// Batch norm by its definition, in loops over doubles that share nothing with ember's own. What a system does beside
/// the definition (reference: the tables of the five systems) stands in its Rule.
namespace ember::test {

struct PlainRule {
  double epsilon = 1e-5;
  int axis = 1;          ///< of the channels; negative from the end
  bool unbiased = true;  ///< the running variance receives var·m/(m-1)
  /// Weight of the new statistic in the n-th update, n from 1.
  std::function<double(i64 n)> weight = [](i64) { return 0.1; };
};

class PlainBatchNorm {
 public:
  /// Of a forward and its backward: all f64; mean and invstd as used.
  struct Step {
    Tensor y, mean, invstd, dx, dgamma, dbeta;
  };

  PlainBatchNorm(PlainRule rule, std::vector<double> gamma, std::vector<double> beta);
  /// With the statistics of x; `update` moves the running ones.
  Step batch(const Tensor& x, const Tensor& dy, bool update = true);
  /// With the running statistics.
  Step fixed(const Tensor& x, const Tensor& dy) const;

  Tensor runningMean() const { return Tensor::of<double>(mean_); }
  Tensor runningVar() const { return Tensor::of<double>(var_); }

 private:
  PlainRule rule_;
  std::vector<double> gamma_, beta_, mean_, var_;
  i64 updates_ = 0;

  Step run(const Tensor& x, const Tensor& dy, const std::vector<double>& mean, const std::vector<double>& var,
           bool throughStatistics) const;
};

}  // namespace ember::test
