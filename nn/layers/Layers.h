#pragma once
/// Every layer.
#include <ember/nn/layers/Activations.h>
#include <ember/nn/layers/BatchNormND.h>
#include <ember/nn/layers/BatchNormPresets.h>
#include <ember/nn/layers/ConvND.h>
#include <ember/nn/layers/Dropout.h>
#include <ember/nn/layers/Flatten.h>
#include <ember/nn/layers/Graph.h>
#include <ember/nn/layers/Identity.h>
#include <ember/nn/layers/JoinLayers.h>
#include <ember/nn/layers/Linear.h>
#include <ember/nn/layers/ModuleList.h>
#include <ember/nn/layers/PadND.h>
#include <ember/nn/layers/Parallel.h>
#include <ember/nn/layers/PoolND.h>
#include <ember/nn/layers/Sequential.h>
#include <ember/nn/layers/ShapeLayers.h>
