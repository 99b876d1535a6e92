#pragma once
/// Every loss. Shapes must be equal as stated: nothing broadcasts, so [N, 1] against [N] is an error and not N·N
/// numbers. Reduced over no samples a mean throws ValueError, instead of being NaN.
#include <ember/autograd/ops/LossBinary.h>
#include <ember/autograd/ops/LossClass.h>
#include <ember/autograd/ops/LossMargin.h>
#include <ember/autograd/ops/LossOptions.h>
#include <ember/autograd/ops/LossRegression.h>
