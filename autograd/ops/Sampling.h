#pragma once
#include <ember/autograd/Tensor.h>

/// Draws whose odds stand in a tensor, from the stream of the running module (or of the program). Not differentiable.
namespace ember {

/// 1 with the probability that stands in each element of p (f32 or f64, in [0, 1]; ValueError), else 0, in the type of
/// p.
Tensor bernoulli(const Tensor& p);

/// `count` positions (i64) in each row of weights, drawn with odds in proportion to them.
///
/// weights  [classes] or [rows, classes]   f32 or f64, not negative, finite, with a positive sum in each row
/// -> [count] or [rows, count]
///
/// Without replacement no position is drawn twice: ValueError if fewer than `count` weights of a row are positive.
Tensor multinomial(const Tensor& weights, i64 count, bool replacement = false);

}  // namespace ember
