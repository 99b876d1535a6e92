#pragma once
#include <ember/nn/layers/BatchNormND.h>
#include <ember/nn/layers/ConvND.h>
#include <ember/nn/layers/Linear.h>
#include <ember/nn/layers/Sequential.h>

/// Batch norm behind a convolution or linear layer, folded into its weights: in eval both are affine, so one does.
namespace ember::nn {

/// A new layer that gives what norm(layer(x)) gives in eval.
///
///   w' = w·gamma·is,   b' = (b - mean)·gamma·is + beta,   is = 1/sqrt(var + eps), all of the channel that w makes
///
/// Computed in f64 and rounded once to the type of the layer, which stays as it is, like the norm. The new layer always
/// has a bias; its parameters train. Behind a linear layer the norm's channel axis must be the last one of the data.
/// CAUTION: a BatchNorm1D as it comes is taken as one of [N, C] there. Where it works on [N, C, L] it normalises axis 1
/// and not what the linear layer makes, and must not be folded; with channelAxis = -1 it fits both.
///
/// Throws StateError in training mode and before the norm has tensors; ValueError where the norm takes the batch's
/// statistics in eval, too, has an activation, another channel axis or parameters for every activation; ShapeError
/// where channels or ranks differ, DtypeError where types do.
Conv1D fold(const Conv1D& layer, const BatchNormND& norm);
Conv2D fold(const Conv2D& layer, const BatchNormND& norm);
Conv3D fold(const Conv3D& layer, const BatchNormND& norm);
Linear fold(const Linear& layer, const BatchNormND& norm);

/// A copy of a net in eval mode where every batch norm that stands directly behind a convolution or linear layer is
/// folded into it, in nested Sequentials as well. An activation that the norm had takes its place; all other modules
/// are cloned, and all keep their names.
///
/// Throws StateError for a net in training mode or with modules that cannot be cloned, and what fold() throws, except
/// for activations.
Sequential folded(const Sequential& net);

/// Folds in place, in modules of any kind: every batch norm whose input is what a convolution or linear layer gave, and
/// nothing else reads that. The layer in front gets weight, bias and the norm's activation; the norm stays where it is,
/// without tensors, and passes its input on (or adds its residual). So relu(norm(conv(x)) + x) runs as one kernel. The
/// net must be in eval mode and stay there; it saves, loads and clones as it is. Returns how many norms were folded.
///
/// Who feeds whom is seen in a forward on a shape-only tensor of shape `input`; then the net runs on numbers, before and
/// after. Where the results differ by more than rounding (someone else read the convolution's output), StateError; the
/// net then is what it was. Throws what fold() throws, before anything has changed, except for activations. A file of a
/// folded net loads into a net that was folded, too.
int foldBatchNorm(Module& net, const Shape& input, DType dtype = DType::F32);

}  // namespace ember::nn
