// Activation layers against the numbers that PyTorch gives (tests/golden/generate_activations.py).
#include <doctest/doctest.h>
#include <ember/nn/layers/Activations.h>

#include "nn/GoldenLayers.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("activation layers give PyTorch's output, gradients and state") {
  checkLayers("activationLayers", {
                                      {"ReLU6", make<nn::ReLU6>()},
                                      {"SELU", make<nn::SELU>()},
                                      {"Mish", make<nn::Mish>()},
                                      {"Softsign", make<nn::Softsign>()},
                                      {"Hardsigmoid", make<nn::Hardsigmoid>()},
                                      {"Hardswish", make<nn::Hardswish>()},
                                      {"LogSigmoid", make<nn::LogSigmoid>()},
                                      {"Tanhshrink", make<nn::Tanhshrink>()},
                                      {"ELU", make<nn::ELU>()},
                                      {"ELU 0.4", make<nn::ELU>(0.4)},
                                      {"CELU", make<nn::CELU>()},
                                      {"CELU 2", make<nn::CELU>(2.0)},
                                      {"Softshrink", make<nn::Softshrink>()},
                                      {"Softshrink 0.2", make<nn::Softshrink>(0.2)},
                                      {"Hardshrink", make<nn::Hardshrink>()},
                                      {"Hardshrink 0.2", make<nn::Hardshrink>(0.2)},
                                      {"Softplus", make<nn::Softplus>()},
                                      {"Softplus 2, 0.1", make<nn::Softplus>(2.0, 0.1)},
                                      {"Hardtanh", make<nn::Hardtanh>()},
                                      {"Hardtanh -0.2, 0.1", make<nn::Hardtanh>(-0.2, 0.1)},
                                      {"Threshold 0.1, -3", make<nn::Threshold>(0.1, -3.0)},
                                      {"Clip -0.2, 0.1", make<nn::Clip>(-0.2, 0.1)},
                                      {"PReLU", make<nn::PReLU>()},
                                      {"PReLU 3", make<nn::PReLU>(3)},
                                      {"GLU", make<nn::GLU>()},
                                      {"GLU 1", make<nn::GLU>(1)},
                                  });
}
