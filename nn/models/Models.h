#pragma once
/// Every ready net: functions in nn::models that build one, of layers and of the blocks in nn/models/Blocks.h, so that
/// files of them are rebuilt by nn::load. To see what one is without its memory, build it under nn::init::ShapesOnly.
#include <ember/nn/models/Autoencoder.h>
#include <ember/nn/models/Blocks.h>
#include <ember/nn/models/DCGAN.h>
#include <ember/nn/models/DenseNet.h>
#include <ember/nn/models/LeNet.h>
#include <ember/nn/models/MobileNetV2.h>
#include <ember/nn/models/NiN.h>
#include <ember/nn/models/ResNet.h>
#include <ember/nn/models/UNet.h>
#include <ember/nn/models/VGG.h>
