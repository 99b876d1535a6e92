#pragma once
#include <ember/autograd/ops/Loss.h>

/// The losses, under the name that users of nn expect: nn::crossEntropy(net(images), labels).
namespace ember::nn {

using ember::binaryCrossEntropy;
using ember::binaryCrossEntropyWithLogits;
using ember::cosineEmbedding;
using ember::cosineSimilarity;
using ember::crossEntropy;
using ember::dice;
using ember::focal;
using ember::gaussianNll;
using ember::hingeEmbedding;
using ember::huber;
using ember::klDivergence;
using ember::l1;
using ember::marginRanking;
using ember::mse;
using ember::multiMargin;
using ember::nll;
using ember::poissonNll;
using ember::smoothL1;
using ember::softMargin;

}  // namespace ember::nn
