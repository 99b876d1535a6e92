#include <ember/nn/layers/Activations.h>

#include "nn/LayerSamples.h"

// Activations, with other numbers than they come with.

namespace ember::test {

LayerRows activationLayerSamples() {
  LayerRows rows;
  rows["ReLU"] = anyShape<nn::ReLU>();
  rows["LeakyReLU"] = anyShape<nn::LeakyReLU>(0.2);
  rows["Sigmoid"] = anyShape<nn::Sigmoid>();
  rows["Tanh"] = anyShape<nn::Tanh>();
  rows["GELU"] = anyShape<nn::GELU>(true);
  rows["SiLU"] = anyShape<nn::SiLU>();
  rows["ReLU6"] = anyShape<nn::ReLU6>();
  rows["SELU"] = anyShape<nn::SELU>();
  rows["Mish"] = anyShape<nn::Mish>();
  rows["Softsign"] = anyShape<nn::Softsign>();
  rows["Hardsigmoid"] = anyShape<nn::Hardsigmoid>();
  rows["Hardswish"] = anyShape<nn::Hardswish>();
  rows["LogSigmoid"] = anyShape<nn::LogSigmoid>();
  rows["Tanhshrink"] = anyShape<nn::Tanhshrink>();
  rows["ELU"] = anyShape<nn::ELU>(0.7);
  rows["CELU"] = anyShape<nn::CELU>(1.5);
  // Kinks between the numbers of the input, which are 0.1 apart.
  rows["Softshrink"] = anyShape<nn::Softshrink>(0.2);
  rows["Hardshrink"] = anyShape<nn::Hardshrink>(0.2);
  rows["Softplus"] = anyShape<nn::Softplus>(2.0, 0.3);
  rows["Hardtanh"] = anyShape<nn::Hardtanh>(-0.2, 0.3);
  rows["Clip"] = anyShape<nn::Clip>(-nn::unbounded, 0.2);
  rows["Threshold"] = anyShape<nn::Threshold>(0.2, 7.0);
  rows["PReLU"] = {{oneInput<nn::PReLU>("one slope", {3, 4}, {}),
                    oneInput<nn::PReLU>("a slope a channel", {2, 3, 2, 2}, Shape{2, 4, 2, 2}, 3, 0.1),
                    oneInput<nn::PReLU>("a matrix", {4, 3}, Shape{3}, 3)},
                   {{LayerCheck::WrongInput, "one slope takes every shape; several refuse other channels"}}};
  rows["GLU"] = {{oneInput<nn::GLU>("the last axis", {3, 4}, Shape{4, 3}),
                  oneInput<nn::GLU>("channels", {2, 4, 3}, Shape{2, 5, 3}, 1)}};
  rows["Softmax"] = {{oneInput<nn::Softmax>("classes", {3, 4}, Shape{3}),
                      oneInput<nn::Softmax>("the last axis", {2, 3, 2}, Shape{}, -1)}};
  rows["LogSoftmax"] = {{oneInput<nn::LogSoftmax>("classes", {3, 4}, Shape{3}),
                         oneInput<nn::LogSoftmax>("the last axis", {2, 3, 2}, Shape{}, -1)}};
  return rows;
}

}  // namespace ember::test
