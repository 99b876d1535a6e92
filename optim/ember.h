#pragma once
/// The whole of ember: tensors and autograd, layers, data, optimisers, training, checkpoints.

#include <fmt/core.h>

#include <ember/autograd/Function.h>
#include <ember/autograd/Fusion.h>
#include <ember/autograd/GradCheck.h>
#include <ember/autograd/Tensor.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>
#include <ember/core/Memory.h>
#include <ember/core/Random.h>
#include <ember/core/Threads.h>
#include <ember/core/Trace.h>
#include <ember/core/Warn.h>
#include <ember/core/comm/InProcess.h>
#include <ember/nn/Checkpoint.h>
#include <ember/nn/Init.h>
#include <ember/nn/Loss.h>
#include <ember/nn/Module.h>
#include <ember/nn/Registry.h>
#include <ember/nn/data/Dataset.h>
#include <ember/nn/data/FashionMnist.h>
#include <ember/nn/data/Loader.h>
#include <ember/nn/data/TensorDataset.h>
#include <ember/nn/data/Transforms.h>
#include <ember/nn/inference/Fold.h>
#include <ember/nn/layers/Layers.h>
#include <ember/optim/Adam.h>
#include <ember/optim/Clip.h>
#include <ember/optim/Ema.h>
#include <ember/optim/RMSProp.h>
#include <ember/optim/Registry.h>
#include <ember/optim/SGD.h>
#include <ember/optim/Schedule.h>
#include <ember/optim/train/Metrics.h>
#include <ember/optim/train/Trainer.h>
