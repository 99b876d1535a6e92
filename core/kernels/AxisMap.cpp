#include <ember/core/kernels/AxisMap.h>

#include <algorithm>
#include <cstring>
#include <string>

#include <ember/core/Error.h>
#include <ember/core/Simd.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/DenseAxis.h>

// An array lies in memory as [outer, axis, inner]. A row is one output: `inner` elements side by side, so channels last
// (where inner is the channels at least) the sums run over vectors. Every row is written once, its taps in their order.

namespace ember::core {
namespace {

/// What one call of a loop needs of the map, with weights in the type of the data.
template <class T>
struct Rows {
  const i64 *starts, *index;
  const T* weight;
  i64 inputs, outputs, inner;
};

/// Rows [begin, end) of all outer·outputs.
template <class T>
[[gnu::always_inline]] inline void sumRows(const T* __restrict x, T* __restrict y, const Rows<T>& m, i64 begin,
                                           i64 end) {
  for (i64 row = begin; row < end; ++row) {
    const i64 p = row % m.outputs;
    const T* image = x + row / m.outputs * m.inputs * m.inner;
    T* to = y + row * m.inner;
    for (i64 i = 0; i < m.inner; ++i) to[i] = 0;
    for (i64 t = m.starts[p]; t < m.starts[p + 1]; ++t) {
      const T factor = m.weight[t];
      const T* from = image + m.index[t] * m.inner;
      for (i64 i = 0; i < m.inner; ++i) to[i] += factor * from[i];
    }
  }
}
EMBER_SIMD void sumAll(const float* x, float* y, const Rows<float>& m, i64 begin, i64 end) {
  sumRows(x, y, m, begin, end);
}
EMBER_SIMD void sumAll(const double* x, double* y, const Rows<double>& m, i64 begin, i64 end) {
  sumRows(x, y, m, begin, end);
}

i64 grainOf(i64 elements) { return std::max<i64>(1, 16384 / std::max<i64>(1, elements)); }

template <class T>
void sum(const NDArray& x, const NDArray& y, const DenseAxis& view, const AxisMap& map) {
  const std::vector<T> weight(map.weight.begin(), map.weight.end());
  const Rows<T> rows{map.starts.data(), map.index.data(), weight.data(), view.size, map.outputs(), view.inner};
  const i64 taps = static_cast<i64>(map.index.size()) / rows.outputs + 1;
  parallelFor(view.outer * rows.outputs, grainOf(view.inner * taps),
              [&](i64 begin, i64 end) { sumAll(x.data<T>(), y.data<T>(), rows, begin, end); });
}

void select(const NDArray& x, const NDArray& y, const DenseAxis& view, const AxisMap& map) {
  const i64 outputs = map.outputs();
  const std::size_t bytes = static_cast<std::size_t>(view.inner) * itemSize(x.dtype());
  const auto* from = static_cast<const std::byte*>(x.raw());
  auto* to = static_cast<std::byte*>(y.raw());
  parallelFor(view.outer * outputs, grainOf(view.inner), [&](i64 begin, i64 end) {
    for (i64 row = begin; row < end; ++row) {
      const i64 source = row / outputs * view.size + map.index[static_cast<std::size_t>(row % outputs)];
      std::memcpy(to + static_cast<std::size_t>(row) * bytes, from + static_cast<std::size_t>(source) * bytes, bytes);
    }
  });
}

}  // namespace

bool AxisMap::selects() const noexcept {
  const auto taps = static_cast<i64>(index.size());
  if (taps != outputs()) return false;
  for (i64 p = 0; p < taps; ++p) {
    if (starts[static_cast<std::size_t>(p)] != p || weight[static_cast<std::size_t>(p)] != 1) return false;
  }
  return true;
}

AxisMap AxisMap::transposed() const {
  AxisMap result;
  result.inputs = outputs();
  result.starts.assign(static_cast<std::size_t>(inputs) + 1, 0);
  for (const i64 input : index) ++result.starts[static_cast<std::size_t>(input) + 1];
  for (std::size_t i = 1; i < result.starts.size(); ++i) result.starts[i] += result.starts[i - 1];
  result.index.resize(index.size());
  result.weight.resize(index.size());
  std::vector<i64> next(result.starts.begin(), result.starts.end() - 1);
  for (i64 p = 0; p < outputs(); ++p) {
    for (i64 t = starts[static_cast<std::size_t>(p)]; t < starts[static_cast<std::size_t>(p) + 1]; ++t) {
      const auto tap = static_cast<std::size_t>(t);
      const auto place = static_cast<std::size_t>(next[static_cast<std::size_t>(index[tap])]++);
      result.index[place] = p;
      result.weight[place] = weight[tap];
    }
  }
  return result;
}

NDArray mapAxis(const NDArray& x, int axis, const AxisMap& map, const char* op) {
  if (x.size(axis) != map.inputs) {
    throw ShapeError(op, "axis " + std::to_string(axis) + " has " + std::to_string(x.size(axis)) +
                             " elements, the map takes " + std::to_string(map.inputs));
  }
  const bool selects = map.selects();
  if (!selects && x.dtype() != DType::F32 && x.dtype() != DType::F64) {
    throw DtypeError(op, "cannot weigh " + std::string(name(x.dtype())), {{"input", describe("x", x)}},
                     "convert to f32 or f64");
  }
  const ComputeScope scope;
  const NDArray source = denseOf(x);
  Shape shape = x.shape();
  shape[axis] = map.outputs();
  const NDArray y = NDArray::empty(shape, x.dtype(), source.order());
  if (y.numel() == 0) return y;
  DenseAxis view(source, axis);
  // With one element the strides do not tell where the axis lies: those of the result do.
  if (view.size == 1) {
    const DenseAxis result(y, axis);
    view.outer = result.outer;
    view.inner = result.inner;
  }
  if (selects) {
    select(source, y, view, map);
  } else if (x.dtype() == DType::F64) {
    sum<double>(source, y, view, map);
  } else {
    sum<float>(source, y, view, map);
  }
  return y;
}

}  // namespace ember::core
