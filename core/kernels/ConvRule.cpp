#include <ember/core/kernels/ConvRule.h>

#include <algorithm>

#include <ember/core/Simd.h>

namespace ember::core {
namespace {
constexpr i64 tile = 4;
}

bool plainPays(const ConvProblem& p) {
  return p.x[0] == 1 && p.x[1] >= 2 && p.x[1] <= 4 && p.y[1] == 16 && p.geometry.groups == 1 &&
         p.geometry.spatial >= 2;
}

bool winogradPossible(const ConvProblem& p) {
  const ConvGeometry& g = p.geometry;
  if (g.spatial != 2 || g.groups != 1) return false;
  for (int i = 0; i < 2; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    if (p.w[2 + i] != 3 || g.stride[axis] != 1 || g.dilation[axis] != 1) return false;
    if (g.padBefore[axis] > 1 || g.padAfter[axis] > 1) return false;
  }
  return true;
}

bool winogradPays(const ConvProblem& p, ConvDirection direction) {
  if (!winogradPossible(p) || simd::level() == simd::Level::Baseline) return false;
  if (std::min(p.x[1], p.y[1]) < 8) return false;
  const Shape& result = direction == ConvDirection::BackwardData ? p.x : p.y;
  if (std::min(result[2], result[3]) < 2) return false;
  const i64 tiles = result[0] * ((result[2] + tile - 1) / tile) * ((result[3] + tile - 1) / tile);
  return tiles >= (direction == ConvDirection::Forward ? 4 : 16);
}

bool usesWinograd(const ConvProblem& p, ConvDirection direction, ConvAlgorithm algorithm) {
  if (algorithm == ConvAlgorithm::Auto) return winogradPays(p, direction);
  return algorithm == ConvAlgorithm::Winograd && winogradPossible(p);
}

}  // namespace ember::core
