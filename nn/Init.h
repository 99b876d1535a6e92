#pragma once
#include <functional>

#include <ember/autograd/Tensor.h>

/// Initialisers: overwrite a tensor in place from the stream (seed, construction index), so a net built after seed(s)
/// is the same whatever ran before. fanIn, fanOut: for weights [out, in, ...] in·receptive and out·receptive.
namespace ember::nn::init {

struct Fans {
  i64 in = 1, out = 1;
};
/// Of a weight [out, in, spatial...]. ShapeError below rank 2.
Fans fansOf(const Shape& weight);

void constant_(Tensor& t, double value);
/// Uniform in [low, high).
void uniform_(Tensor& t, double low = 0, double high = 1);
void normal_(Tensor& t, double mean = 0, double std = 1);
/// What linear layers and convolutions start from: weight and bias uniform in ±1/sqrt(inputs), the elements that one
/// output sums over. An undefined bias is left out. As PyTorch.
void uniformByInputs_(Tensor& weight, Tensor& bias, i64 inputs);
/// He et al. 2015: bound = gain·sqrt(3/fan), std = gain/sqrt(fan); gain = sqrt(2/(1+slope²)) (slope of the leaky ReLU
/// behind it).
enum class Fan : u8 { In, Out };
void kaimingUniform_(Tensor& t, double slope = 0, Fan fan = Fan::In);
void kaimingNormal_(Tensor& t, double slope = 0, Fan fan = Fan::In);
/// Glorot & Bengio 2010: bound = gain·sqrt(6/(fanIn+fanOut)), std = gain·sqrt(2/(fanIn+fanOut)).
void xavierUniform_(Tensor& t, double gain = 1);
void xavierNormal_(Tensor& t, double gain = 1);

/// While it lives on this thread, the initialisers above set zero and draw nothing: for nets whose values come from
/// elsewhere.
class Skip {
 public:
  Skip() noexcept;
  ~Skip();
  Skip(const Skip&) = delete;
  Skip& operator=(const Skip&) = delete;
  static bool active() noexcept;
};

/// While it lives on this thread, modules that are built get parameters and buffers of the right shape and type and
/// without values: a net of any size costs nothing. It counts its parameters, prints, runs on shapes (summary()) and
/// gives its architecture; on data, results have shapes alone, and what reads a value throws StateError.
class ShapesOnly {
 public:
  ShapesOnly() noexcept;
  ~ShapesOnly();
  ShapesOnly(const ShapesOnly&) = delete;
  ShapesOnly& operator=(const ShapesOnly&) = delete;
  static bool active() noexcept;
};

/// What a layer makes its parameters and buffers of: Tensor::empty and Tensor::full, without values and memory under
/// ShapesOnly.
Tensor blank(const Shape& shape, DType dtype = DType::F32);
Tensor filled(const Shape& shape, double value, DType dtype = DType::F32);

}  // namespace ember::nn::init
