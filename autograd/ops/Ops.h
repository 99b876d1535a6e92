#pragma once
/// Every op.
#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/BatchNorm.h>
#include <ember/autograd/ops/BatchNormInt8.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Conv.h>
#include <ember/autograd/ops/Dropout.h>
#include <ember/autograd/ops/Loss.h>
#include <ember/autograd/ops/MatMul.h>
#include <ember/autograd/ops/Math.h>
#include <ember/autograd/ops/Pad.h>
#include <ember/autograd/ops/Pool.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/autograd/ops/Softmax.h>
