#pragma once
#include <ember/autograd/ops/LossOptions.h>

/// Losses of targets 1 and -1: of similar or not, before or behind. Such a target is a constant of x's type, f32 or
/// f64; any other value in it is a ValueError. Differentiable any number of times in everything else.
namespace ember {

struct MarginOptions {
  double margin = 0;  ///< finite
  Reduction reduction = Reduction::Mean;
};

struct HingeOptions {
  double margin = 1;  ///< finite
  Reduction reduction = Reduction::Mean;
};
/// Hinge embedding: x is a distance, to become small where target is 1, and `margin` at least where it is -1.
///
///   loss = target = 1 ? x : max(0, margin - x)
///
/// x and target of one shape. Source: semantics as torch.nn.functional.hinge_embedding_loss.
Tensor hingeEmbedding(const Tensor& x, const Tensor& target, const HingeOptions& = {});

/// log(1 + exp(-target·x)), stable for any finite x; x and target of one shape (torch.nn.functional.soft_margin_loss).
Tensor softMargin(const Tensor& x, const Tensor& target, const LossOptions& = {});

/// Ranking: a above b by `margin` where target is 1, below where it is -1.
///
///   loss = max(0, margin - target·(a - b))
///
/// a, b and target of one shape. Source: semantics as torch.nn.functional.margin_ranking_loss.
Tensor marginRanking(const Tensor& a, const Tensor& b, const Tensor& target, const MarginOptions& = {});

/// Cosine of the angle between the vectors along `axis`.
///
///   y = sum a·b / sqrt(max(sum a² · sum b², epsilon²))
///
/// a and b of one shape, f32 or f64; -> that shape without `axis`. epsilon above 0: a zero vector gives 0. No
/// broadcasting; differentiable any number of times in both. Source: semantics as
/// torch.nn.functional.cosine_similarity.
Tensor cosineSimilarity(const Tensor& a, const Tensor& b, int axis = 1, double epsilon = 1e-8);

/// Cosine embedding: vectors to point in one direction where target is 1, away from each other where it is -1.
///
///   loss_i = target_i = 1 ? 1 - cos(a_i, b_i) : max(0, cos(a_i, b_i) - margin)
///
/// a, b    [N, D]
/// target  [N]
/// margin in [-1, 1]. Source: semantics as torch.nn.functional.cosine_embedding_loss.
Tensor cosineEmbedding(const Tensor& a, const Tensor& b, const Tensor& target, const MarginOptions& = {});

}  // namespace ember
