#pragma once
#include <functional>

#include <ember/autograd/Tensor.h>

namespace ember {

/// Activation checkpointing (Chen et al. 2016, arXiv:1604.06174): runs `fn` and keeps its inputs and outputs alone; the
/// backward runs it again to get back what its gradient needs. Memory for time: one more forward.
///
///   Tensor forward(const Tensor& x) override { return checkpoint([&](const Tensor& h) { return block(h); }, x); }
///
/// inputs  what fn is given; parameters and other tensors that it uses beside them get their gradients, too
/// -> what fn returns; outputs that require no gradient, and inputs handed through, as they are
///
/// The second run draws the same random numbers, and leaves running statistics and counters of batch norm alone; hooks
/// of modules run twice. It happens in each backward, and may be differentiated (createGraph) as fn itself could be.
/// Values and gradients are bit for bit those without it. Nests. Where nothing is recorded, it is fn(inputs).
///
/// fn must compute the same again: it lives as long as the graph, so what it refers to must, too. Throws StateError in
/// backward if an input or a parameter was overwritten in between, or if the second run differs in shapes, types or
/// random draws (a net that was switched between train() and eval()).
Tensors checkpoint(std::function<Tensors(const Tensors&)> fn, const Tensors& inputs);
Tensor checkpoint(std::function<Tensor(const Tensor&)> fn, const Tensor& input);

}  // namespace ember
