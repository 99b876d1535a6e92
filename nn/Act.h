#pragma once
#include <ember/autograd/ops/BatchNorm.h>

namespace ember::nn {

using ember::Act;

}  // namespace ember::nn
