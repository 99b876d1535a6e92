#pragma once
#include <ember/autograd/ops/Loss.h>

/// The losses, under the name that users of nn expect: nn::crossEntropy(net(images), labels).
namespace ember::nn {

using ember::binaryCrossEntropyWithLogits;
using ember::crossEntropy;
using ember::mse;

}  // namespace ember::nn
