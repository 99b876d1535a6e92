#pragma once
#include <ember/autograd/ops/LossOptions.h>

/// Losses of numbers against numbers: x and target of one shape and type, f32 or f64. Differentiable any number of
/// times in both where the formula is. ShapeError, DtypeError where the two differ.
namespace ember {

/// Squared error (x - target)^2.
Tensor mse(const Tensor& x, const Tensor& target, const LossOptions& = {});
/// Absolute error |x - target|, gradient 0 where they are equal.
Tensor l1(const Tensor& x, const Tensor& target, const LossOptions& = {});

struct SmoothL1Options {
  double beta = 1;  ///< 0 or more; 0: l1()
  Reduction reduction = Reduction::Mean;
};
/// Squared near 0, absolute beyond (Girshick 2015, arXiv:1504.08083; torch.nn.functional.smooth_l1_loss).
///
///   d = x - target,   loss = |d| < beta ? d²/(2·beta) : |d| - beta/2
Tensor smoothL1(const Tensor& x, const Tensor& target, const SmoothL1Options& = {});

struct HuberOptions {
  double delta = 1;  ///< above 0
  Reduction reduction = Reduction::Mean;
};
/// Huber 1964, delta·smoothL1 with beta = delta: mse()/2 for a large delta, delta·l1() for a small one.
///
///   d = x - target,   loss = |d| <= delta ? d²/2 : delta·(|d| - delta/2)
Tensor huber(const Tensor& x, const Tensor& target, const HuberOptions& = {});

struct KlDivergenceOptions {
  bool logTarget = false;  ///< the target is given as log probabilities, too
  Reduction reduction = Reduction::Mean;
  bool batchMean = false;  ///< the mean divides by the size of axis 0, as the definition does; only with Mean
};
/// Kullback-Leibler divergence of the distribution `target` from exp(x), x log probabilities.
///
///   loss = t·(log t - x)   (0 where t is 0),   or   exp(t)·(t - x) with logTarget
///
/// Mean divides by the number of elements unless batchMean is set, as torch.nn.functional.kl_div does. ValueError for
/// batchMean with another reduction, ShapeError for batchMean of rank 0.
Tensor klDivergence(const Tensor& x, const Tensor& target, const KlDivergenceOptions& = {});

struct PoissonNllOptions {
  bool logInput = true;   ///< x is the logarithm of the expected count; false: the count itself
  bool full = false;      ///< adds Stirling's approximation of log t! where t > 1
  double epsilon = 1e-8;  ///< above 0: keeps log(x + epsilon) finite without logInput
  Reduction reduction = Reduction::Mean;
};
/// Negative log-likelihood of counts `target` under Poisson distributions (torch.nn.functional.poisson_nll_loss).
///
///   loss = exp(x) - t·x,   or   x - t·log(x + epsilon) without logInput;   full: + t·log t - t + log(2·pi·t)/2
Tensor poissonNll(const Tensor& x, const Tensor& target, const PoissonNllOptions& = {});

struct GaussianNllOptions {
  bool full = false;      ///< adds the constant log(2·pi)/2
  double epsilon = 1e-6;  ///< above 0: the least variance
  Reduction reduction = Reduction::Mean;
};
/// Negative log-likelihood of `target` under normal distributions of mean x and that variance, of x's shape
/// (Nix & Weigend 1994; torch.nn.functional.gaussian_nll_loss).
///
///   v = max(variance, epsilon),   loss = (log v + (x - t)²/v)/2
///
/// The variance has gradient 0 where it is below epsilon. ValueError if it is negative anywhere.
Tensor gaussianNll(const Tensor& x, const Tensor& target, const Tensor& variance, const GaussianNllOptions& = {});

}  // namespace ember
