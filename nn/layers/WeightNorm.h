#pragma once
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <ember/nn/Module.h>

namespace ember::nn {

/// A layer one of whose weights is learned as a length and a direction:
///
///   w = g·v/|v|,   |v| = sqrt(sum of v² over all axes but `axis`), or over all
///
/// It stands in the net in place of the layer and has its state, with <weight>_g (the size 1 on all axes but `axis`; []
/// without an axis) and <weight>_v (the shape of the weight) for the weight, as PyTorch names them. w is computed in
/// each recorded forward, otherwise where g or v have changed. A row of zeros stays 0.
///
/// The layer is Linear, a convolution, GroupedLinear or Embedding; ValueError for another, ShapeError for an axis that
/// the weight has not.
///
/// Salimans & Kingma 2016, arXiv:1602.07868; semantics as torch.nn.utils.weight_norm.
class WeightNorm : public Module {
 public:
  using Module::forward;
  explicit WeightNorm(std::unique_ptr<Module> layer, std::optional<int> axis = 0);
  template <class M>
  requires(std::is_base_of_v<Module, M> &&
           !std::is_same_v<M, WeightNorm>) explicit WeightNorm(M layer, std::optional<int> axis = 0)
      : WeightNorm(std::unique_ptr<Module>(std::make_unique<M>(std::move(layer))), axis) {}
  Tensors forward(const Tensors& inputs) override;
  Args args() const override;
  static WeightNorm fromArgs(const Args& a);
  std::string details() const override;

  Tensor g, v;  ///< length and direction

  /// The layer alone again, with w as its weight. Leaves this without it.
  std::unique_ptr<Module> release();

 private:
  struct Current;

  std::unique_ptr<Module> layer_;
  std::optional<int> axis_;
  std::shared_ptr<Current> current_;

  Tensor compute() const;
  void refresh();
};

/// The words of PyTorch.
template <class M>
WeightNorm weightNorm(M layer, std::optional<int> axis = 0) {
  return WeightNorm(std::move(layer), axis);
}
inline std::unique_ptr<Module> removeWeightNorm(WeightNorm normed) { return normed.release(); }

}  // namespace ember::nn
