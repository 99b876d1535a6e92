#pragma once
#include <vector>

#include <ember/core/NDArray.h>

namespace ember::core {

/// A sparse matrix [outputs, inputs] that acts along one axis of an array: interpolation, padding with what lies inside,
/// means of bins. Output p has the taps starts[p] .. starts[p + 1] - 1.
///
/// Rows are made one after another: add() the taps of an output, then close().
struct AxisMap {
  i64 inputs = 0;
  std::vector<i64> starts{0};
  std::vector<i64> index;      ///< of an input, in [0, inputs)
  std::vector<double> weight;  ///< of each tap

  i64 outputs() const noexcept { return static_cast<i64>(starts.size()) - 1; }
  void add(i64 input, double factor) {
    index.push_back(input);
    weight.push_back(factor);
  }
  void close() { starts.push_back(static_cast<i64>(index.size())); }
  /// Every output is one input as it is: then the type of the elements does not matter.
  bool selects() const noexcept;
  /// The matrix transposed.
  AxisMap transposed() const;
};

/// y[.., p, ..] = sum_t weight[p, t] · x[.., index[p, t], ..] along `axis`, in the memory order of x; f32 and f64, and
/// every type if the map selects. Throws ShapeError unless the axis has map.inputs elements, DtypeError on other types.
NDArray mapAxis(const NDArray& x, int axis, const AxisMap& map, const char* op);

}  // namespace ember::core
