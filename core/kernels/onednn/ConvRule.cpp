#include <ember/core/kernels/onednn/ConvRule.h>

#include <algorithm>

#include <dnnl.hpp>

namespace ember::core::onednn {
namespace {

bool haveAvx512() {
  static const bool have = [] {
    switch (dnnl::get_effective_cpu_isa()) {
      case dnnl::cpu_isa::avx512_core:
      case dnnl::cpu_isa::avx512_core_vnni:
      case dnnl::cpu_isa::avx512_core_bf16:
      case dnnl::cpu_isa::avx512_core_amx:
        return true;
      default:
        return false;
    }
  }();
  return have;
}

constexpr i64 tile = 4;

}  // namespace

bool winogradPossible(const ConvProblem& p) {
  const ConvGeometry& g = p.geometry;
  if (!haveAvx512() || g.spatial != 2 || g.groups != 1) return false;
  for (int i = 0; i < 2; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    if (p.w[2 + i] != 3 || g.stride[axis] != 1 || g.dilation[axis] != 1) return false;
    if (g.padBefore[axis] > 1 || g.padAfter[axis] > 1) return false;
  }
  return true;
}

bool winogradPays(const ConvProblem& p, ConvDirection direction) {
  if (!winogradPossible(p)) return false;
  const i64 in = p.x[1], out = p.y[1];
  if (std::min(in, out) < 16 || in * out < 1024) return false;
  const Shape& result = direction == ConvDirection::BackwardData ? p.x : p.y;
  const i64 tiles = (result[2] + tile - 1) / tile * ((result[3] + tile - 1) / tile);
  const double useful = static_cast<double>(result[2] * result[3]) / static_cast<double>(tiles * tile * tile);
  return result[0] * tiles >= 48 && useful >= 0.65;
}

i64 winogradChunk(const ConvProblem& p) {
  constexpr i64 budget = 3 << 20;  // floats: 12 MB
  const i64 batch = std::max<i64>(1, p.x[0]);
  const i64 least = std::min(batch, (numel(p.x) + numel(p.y) + budget - 1) / budget);
  // Equal pieces need one plan instead of two.
  for (i64 pieces = least; pieces < 2 * least; ++pieces) {
    if (batch % pieces == 0) return batch / pieces;
  }
  return (batch + least - 1) / std::max<i64>(1, least);
}

}  // namespace ember::core::onednn
