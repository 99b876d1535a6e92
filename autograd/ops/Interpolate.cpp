#include <ember/autograd/ops/Interpolate.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/AxisMap.h>
#include <ember/core/Error.h>

// All modes are products of maps along one axis. Axes that shrink go first: fewer elements are left for the others.

namespace ember {

using namespace autograd;

namespace {

constexpr const char* op = "interpolate";
constexpr std::array<std::string_view, 4> modeNames{"nearest", "nearest-exact", "linear", "cubic"};

/// One axis: `outputs` elements from `inputs`, each `step` inputs from the one before.
struct Axis {
  i64 inputs, outputs;
  double step;
  bool scaled;  ///< whether the step comes from a scale of the user's

  /// Where the centre of output p lies, in inputs.
  double centre(i64 p, bool alignCorners) const {
    if (!alignCorners) return (static_cast<double>(p) + 0.5) * step - 0.5;
    return outputs == 1 ? 0
                        : static_cast<double>(p) * static_cast<double>(inputs - 1) / static_cast<double>(outputs - 1);
  }
  i64 clamped(double place) const { return static_cast<i64>(std::clamp(place, 0.0, static_cast<double>(inputs - 1))); }
  /// The nearest input of p, in integers where the sizes alone decide: no rounding moves it over an edge.
  i64 nearest(i64 p, bool exact) const {
    if (scaled) return clamped(std::floor((static_cast<double>(p) + (exact ? 0.5 : 0.0)) * step));
    return exact ? (2 * p + 1) * inputs / (2 * outputs) : p * inputs / outputs;
  }
};

/// Keys' cubic convolution at distance t.
double cubic(double t) {
  constexpr double a = -0.75;
  t = std::abs(t);
  if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

core::AxisMap mapOf(const Axis& axis, Interpolation mode, bool alignCorners) {
  core::AxisMap map;
  map.inputs = axis.inputs;
  const auto add = [&](double place, double weight) {
    if (weight != 0) map.add(axis.clamped(place), weight);
  };
  for (i64 p = 0; p < axis.outputs; ++p) {
    if (mode == Interpolation::Nearest || mode == Interpolation::NearestExact) {
      map.add(axis.nearest(p, mode == Interpolation::NearestExact), 1);
    } else if (mode == Interpolation::Linear) {
      const double u = std::clamp(axis.centre(p, alignCorners), 0.0, static_cast<double>(axis.inputs - 1));
      const double first = std::floor(u);
      add(first, 1 - (u - first));
      add(first + 1, u - first);
    } else {
      const double u = axis.centre(p, alignCorners), first = std::floor(u);
      for (int i = -1; i <= 2; ++i) add(first + i, cubic(u - first - i));
    }
    map.close();
  }
  return map;
}

Axis axisOf(const Tensor& x, int i, const InterpolateOptions& o) {
  const int spatial = x.rank() - 2;
  const i64 inputs = x.size(2 + i);
  if (inputs == 0) throw ShapeError(op, "input " + toString(x.shape()) + " has an empty axis");
  if (o.size.set()) {
    const i64 outputs = o.size.at(i, spatial, op, "size");
    if (outputs < 1) throw ValueError(op, "size is " + std::to_string(outputs), {}, "use 1 or more");
    return {inputs, outputs, static_cast<double>(inputs) / static_cast<double>(outputs), false};
  }
  if (o.scale.size() != 1 && o.scale.size() != static_cast<std::size_t>(spatial)) {
    throw ValueError(
        op, "scale has " + std::to_string(o.scale.size()) + " numbers for " + std::to_string(spatial) + " spatial axes",
        {}, "give one number, or one for each spatial axis");
  }
  const double scale = o.scale[o.scale.size() == 1 ? 0 : static_cast<std::size_t>(i)];
  const double outputs = std::floor(static_cast<double>(inputs) * scale);
  if (!(scale > 0) || std::isinf(scale))
    throw ValueError(op, "scale is " + std::to_string(scale), {}, "use a number above 0");
  if (outputs < 1 || outputs > 0x1p62) {
    throw ShapeError(op,
                     "scale " + std::to_string(scale) + " makes " + (outputs < 1 ? "nothing" : "too much") +
                         " of axis " + std::to_string(2 + i) + ", which has " + std::to_string(inputs) + " elements",
                     {{"input", "x " + toString(x.shape())}});
  }
  return {inputs, static_cast<i64>(outputs), 1 / scale, true};
}

}  // namespace

std::string_view name(Interpolation mode) { return modeNames[static_cast<std::size_t>(mode)]; }

Interpolation interpolation(std::string_view text) {
  for (std::size_t i = 0; i < modeNames.size(); ++i) {
    if (modeNames[i] == text) return static_cast<Interpolation>(i);
  }
  if (text == "bilinear" || text == "trilinear") return Interpolation::Linear;
  if (text == "bicubic") return Interpolation::Cubic;
  throw ValueError(op, "no interpolation is called \"" + std::string(text) + "\"", {},
                   "use nearest, nearest-exact, linear or cubic");
}

Tensor interpolate(const Tensor& x, const InterpolateOptions& o) {
  checkOperands(op, {&x});
  checkFloating(op, x);
  if (x.rank() < 3 || x.rank() > 5) {
    throw ShapeError(op, "input has rank " + std::to_string(x.rank()) + ", expected 3 to 5",
                     {{"input", "x " + toString(x.shape())}}, "give it [N, C, L], [N, C, H, W] or [N, C, D, H, W]");
  }
  if (o.size.set() == !o.scale.empty()) {
    throw ValueError(op, o.size.set() ? "size and scale are given" : "neither size nor scale is given", {},
                     "give one of the two");
  }
  if (o.alignCorners && (o.mode == Interpolation::Nearest || o.mode == Interpolation::NearestExact))
    throw ValueError(op, "alignCorners says nothing for " + std::string(name(o.mode)), {}, "leave it false");
  std::vector<Axis> axes;
  Shape shape = x.shape();
  for (int i = 0; i + 2 < x.rank(); ++i) {
    axes.push_back(axisOf(x, i, o));
    shape[2 + i] = axes.back().outputs;
  }
  numel(shape);  // throws if it overflows
  std::vector<int> order;
  for (const bool shrinks : {true, false}) {
    for (int i = 0; i + 2 < x.rank(); ++i) {
      const Axis& axis = axes[static_cast<std::size_t>(i)];
      if ((axis.outputs < axis.inputs) == shrinks) order.push_back(i);
    }
  }
  Tensor y = x;
  for (const int i : order) {
    const Axis& axis = axes[static_cast<std::size_t>(i)];
    // As many outputs as inputs, each on its input.
    if (axis.inputs == axis.outputs && (axis.step == 1 || o.alignCorners)) continue;
    y = mapAxis(op, "interpolateBackward", y, 2 + i, axis.outputs, [&] { return mapOf(axis, o.mode, o.alignCorners); });
  }
  return y;
}

}  // namespace ember
