#include "Volumes.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <ember/core/Threads.h>

#include "support/Draws.h"

using namespace ember;

namespace {

enum Class : i64 { Ball, Cube, Cylinder, Cone, Torus, Cross, ClassCount };
const std::vector<std::string> classNames{"ball", "cube", "cylinder", "cone", "torus", "cross"};
constexpr i64 voxels = volumeSide * volumeSide * volumeSide;

using Vector = std::array<double, 3>;

/// Whether a point lies inside the solid around the origin; all reach out to about 1.
bool inside(Class kind, const Vector& p) {
  const auto [x, y, z] = p;
  const double round = x * x + y * y;
  switch (kind) {
    case Ball:
      return round + z * z < 0.9 * 0.9;
    case Cube:
      return std::max({std::abs(x), std::abs(y), std::abs(z)}) < 0.72;
    case Cylinder:
      return round < 0.6 * 0.6 && std::abs(z) < 0.95;
    case Cone:
      return z > -0.8 && std::sqrt(round) < 0.55 * (1.0 - z);
    case Torus: {
      const double ring = std::sqrt(round) - 0.75;
      return ring * ring + z * z < 0.3 * 0.3;
    }
    case Cross: {
      const int thin = (std::abs(x) < 0.3) + (std::abs(y) < 0.3) + (std::abs(z) < 0.3);
      return thin >= 2 && std::max({std::abs(x), std::abs(y), std::abs(z)}) < 1.1;
    }
    case ClassCount:
      break;
  }
  return false;
}

/// A rotation, all equally likely: a unit quaternion from a point inside the four-dimensional ball.
std::array<Vector, 3> drawRotation(Draws& draws) {
  double a, b, c, d, length;
  do {
    a = draws.uniform(-1, 1), b = draws.uniform(-1, 1), c = draws.uniform(-1, 1), d = draws.uniform(-1, 1);
    length = a * a + b * b + c * c + d * d;
  } while (length > 1 || length < 0.01);
  const double s = 2 / length;
  return {{{1 - s * (c * c + d * d), s * (b * c - a * d), s * (b * d + a * c)},
           {s * (b * c + a * d), 1 - s * (b * b + d * d), s * (c * d - a * b)},
           {s * (b * d - a * c), s * (c * d + a * b), 1 - s * (b * b + c * c)}}};
}

void fillVolume(float* volume, Class kind, Draws& draws) {
  const std::array<Vector, 3> rotation = drawRotation(draws);
  const double size = draws.uniform(4.5, 6.5);  // voxels from the middle to the rim
  Vector centre, stretch;
  for (double& c : centre) c = draws.uniform(5.5, 9.5);
  for (double& s : stretch) s = size * draws.uniform(0.85, 1.15);
  const double brightness = draws.uniform(0.7, 1.3), noise = draws.uniform(0.2, 0.4);
  const double missing = draws.uniform(0, 0.2), lit = draws.uniform(0, 0.05);

  for (i64 v = 0; v < voxels; ++v) {
    const Vector from{static_cast<double>(v / (volumeSide * volumeSide)) - centre[0],
                      static_cast<double>(v / volumeSide % volumeSide) - centre[1],
                      static_cast<double>(v % volumeSide) - centre[2]};
    Vector p;
    for (std::size_t i = 0; i < 3; ++i) {
      p[i] = (rotation[i][0] * from[0] + rotation[i][1] * from[1] + rotation[i][2] * from[2]) / stretch[i];
    }
    const bool bright = inside(kind, p) ? !draws.chance(missing) : draws.chance(lit);
    volume[v] = static_cast<float>((bright ? brightness : 0) + noise * draws.noise());
  }
}

}  // namespace

data::TensorDataset makeVolumes(u64 seed, std::string_view part, i64 count) {
  const u64 stream = random::streamOf("volumes_3d/" + std::string(part));
  std::vector<float> volumes(static_cast<std::size_t>(count * voxels));
  std::vector<i64> labels(static_cast<std::size_t>(count));
  core::parallelFor(count, 16, [&](i64 begin, i64 end) {
    for (i64 i = begin; i < end; ++i) {
      labels[static_cast<std::size_t>(i)] = i % ClassCount;
      Draws draws(seed, stream, i);
      fillVolume(&volumes[static_cast<std::size_t>(i * voxels)], static_cast<Class>(i % ClassCount), draws);
    }
  });
  return {Tensor::of(volumes, {count, 1, volumeSide, volumeSide, volumeSide}),
          Tensor::of(labels),
          {.classNames = classNames}};
}

std::vector<std::string> drawVolume(const float* volume) {
  static constexpr std::string_view shades = " .:-=+*#%@";
  constexpr i64 width = volumeSide, height = volumeSide / 2;  // a character is twice as high as wide
  std::vector<float> sums(static_cast<std::size_t>(width * height));
  for (i64 v = 0; v < voxels; ++v) {
    const i64 row = v / volumeSide % volumeSide / 2;
    sums[static_cast<std::size_t>(row * width + v % width)] += volume[v];
  }
  const float most = *std::max_element(sums.begin(), sums.end());
  std::vector<std::string> lines(static_cast<std::size_t>(height));
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const float level = std::clamp(sums[i] / most, 0.0f, 1.0f) * static_cast<float>(shades.size() - 1);
    lines[i / width] += shades[static_cast<std::size_t>(level + 0.5f)];
  }
  return lines;
}
