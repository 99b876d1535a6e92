#include <ember/autograd/ops/AdaptivePool.h>
#include <ember/autograd/ops/ConvTranspose.h>
#include <ember/autograd/ops/Interpolate.h>
#include <ember/autograd/ops/Pad.h>
#include <ember/autograd/ops/Pool.h>
#include <ember/autograd/ops/Unpool.h>

#include "autograd/OpSamples.h"
#include "support/Draw.h"

// What changes sizes: padding with what lies inside, transposed convolutions, pools beyond the plain ones, unpooling,
// interpolation, shuffles of pixels.

namespace ember::test {
namespace {

OpSample padded(const char* name, const Shape& x, const std::vector<i64>& before, const std::vector<i64>& after,
                PadMode mode) {
  return {name, {draw(name, x)}, [=](const Tensors& in) { return pad(in[0], before, after, mode); }, {0}};
}

OpSample transposed(const char* name, const Shape& x, const Shape& w, const ConvTransposeOptions& options = {},
                    bool bias = true) {
  const int spatial = x.rank() - 2;
  return {name,
          {draw(name, x), draw("w", w), bias ? draw("b", {w[1] * options.groups}) : Tensor()},
          [=](const Tensors& in) { return convTransposeND(spatial, in[0], in[1], in[2], options); },
          {0},
          {},
          {2}};
}

OpSample unary(const char* name, const Shape& x, const std::function<Tensor(const Tensor&)>& f) {
  return {name, {distinct(name, x)}, [=](const Tensors& in) { return f(in[0]); }, {0}};
}

OpSample adaptive(bool maximum, const char* name, const Shape& x, const Sizes& size) {
  const int spatial = x.rank() - 2;
  return unary(name, x, [=](const Tensor& t) {
    return maximum ? adaptiveMaxPoolND(spatial, t, size) : adaptiveAvgPoolND(spatial, t, size);
  });
}

/// x of shape [1, 2, ...] to places that a shuffled count gives; `repeats` lets two elements have one place.
OpSample unpooled(const char* name, const Shape& x, const Sizes& size, bool repeats = false) {
  const int spatial = x.rank() - 2;
  i64 plane = 1, count = 1;
  for (int i = 0; i < spatial; ++i) plane *= size.at(i, spatial, "test", "size"), count *= x[2 + i];
  std::vector<i64> places;
  for (i64 i = 0; i < numel(x); ++i) places.push_back(repeats ? i % count / 2 : (i % count * 5 + 1) % plane);
  return {name,
          {distinct(name, x), Tensor::of<i64>(places, x)},
          [=](const Tensors& in) { return maxUnpoolND(spatial, in[0], in[1], size); },
          {0, 1}};
}

OpSample resized(const char* name, const Shape& x, const InterpolateOptions& options) {
  return unary(name, x, [=](const Tensor& t) { return interpolate(t, options); });
}

void addTransposedSamples(OpRows& rows) {
  rows["convTranspose1d"] = {
      {transposed("plain", {2, 2, 4}, {2, 3, 3}),
       transposed("every option", {1, 4, 3}, {4, 1, 3},
                  {.stride = 2, .padding = 1, .outputPadding = 1, .dilation = 2, .groups = 2}, false),
       transposed("output padding above the stride", {1, 2, 3}, {2, 1, 3},
                  {.padding = 1, .outputPadding = 2, .dilation = 3})}};
  rows["convTranspose2d"] = {
      {transposed("plain", {1, 2, 3, 3}, {2, 2, 2, 2}),
       transposed("stride 2", {2, 2, 3, 2}, {2, 1, 3, 3}, {.stride = 2, .padding = 1, .outputPadding = {1, 0}}),
       transposed("depthwise", {1, 3, 3, 3}, {3, 1, 3, 3}, {.padding = 1, .groups = 3}),
       transposed("every option differs", {1, 4, 2, 3}, {4, 1, 2, 3},
                  {.stride = {2, 3},
                   .padding = Padding::sides({1, 0}, {0, 2}),
                   .outputPadding = {0, 2},
                   .dilation = {3, 1},
                   .groups = 2})}};
  rows["convTranspose3d"] = {
      {transposed("plain", {1, 2, 2, 2, 2}, {2, 1, 2, 2, 2}),
       transposed(
           "every option", {1, 2, 2, 1, 2}, {2, 1, 2, 3, 2},
           {.stride = {1, 2, 2}, .padding = {1, 1, 0}, .outputPadding = {0, 1, 1}, .dilation = {2, 1, 1}, .groups = 2},
           false)}};
}

void addPoolSamples(OpRows& rows) {
  const auto indexed = [](const Tensor& t) {
    return maxPoolNDWithIndices(t.defined() ? t.rank() - 2 : 2, t, {.kernel = 3, .stride = 2, .padding = 1}).y;
  };
  rows["maxPool2d"].samples.push_back(unary("with indices", {2, 1, 5, 4}, indexed));
  rows["globalMaxPool"] = {
      {unary("sequences", {2, 3, 4}, [](const Tensor& t) { return globalMaxPool(t); }),
       unary("volumes, axes kept", {1, 2, 2, 3, 2}, [](const Tensor& t) { return globalMaxPool(t, true); })}};
  for (int spatial = 1; spatial <= 3; ++spatial) {
    const std::string suffix = std::to_string(spatial) + "d";
    Shape equal{2, 2}, uneven{1, 2};
    for (int i = 0; i < spatial; ++i) equal.push(4 - i / 2 * 2), uneven.push(3 + 2 * (i % 2));
    const std::vector<i64> other = spatial == 1   ? std::vector<i64>{2}
                                   : spatial == 2 ? std::vector<i64>{2, 7}
                                                  : std::vector<i64>{2, -1, 4};
    for (const bool maximum : {false, true}) {
      rows[(maximum ? "adaptiveMaxPool" : "adaptiveAvgPool") + suffix] = {
          {adaptive(maximum, "equal bins", equal, 2), adaptive(maximum, "bins that overlap", uneven, other)}};
    }
    const auto lp = [=](double p, const PoolOptions& options) {
      return [=](const Tensor& t) { return lpPoolND(spatial, t, p, options); };
    };
    rows["lpPool" + suffix] = {
        {unary("p = 2", equal, lp(2, {.kernel = 2})), unary("p = 1", equal, lp(1, {.kernel = 2})),
         unary("p = 3, overlapping", uneven, lp(3, {.kernel = 2, .stride = 1, .ceilMode = true}))}};
  }
  rows["maxUnpool1d"] = {{unpooled("apart", {2, 2, 3}, 7), unpooled("two in one place", {1, 1, 5}, 4, true)}};
  rows["maxUnpool2d"] = {
      {unpooled("apart", {2, 2, 2, 3}, {4, 6}), unpooled("two in one place", {1, 2, 2, 2}, 3, true)}};
  rows["maxUnpool3d"] = {{unpooled("apart", {1, 2, 2, 1, 2}, {4, 2, 3})}};
}

}  // namespace

void addResizeSamples(OpRows& rows) {
  addTransposedSamples(rows);
  addPoolSamples(rows);
  using Mode = Interpolation;
  rows["interpolate"] = {
      {resized("nearest, by 2", {2, 2, 3}, {.scale = {2}}), resized("nearest, fewer", {1, 2, 5, 4}, {.size = {3, 7}}),
       resized("nearest, exact", {1, 1, 5, 3}, {.size = {3, 4}, .mode = Mode::NearestExact}),
       resized("linear", {2, 1, 4}, {.size = 7, .mode = Mode::Linear}),
       resized("bilinear, corners aligned", {1, 2, 3, 4}, {.size = {5, 2}, .mode = Mode::Linear, .alignCorners = true}),
       resized("trilinear", {1, 1, 2, 3, 2}, {.scale = {2, 1.5, 0.5}, .mode = Mode::Linear}),
       resized("bicubic", {1, 2, 4, 3}, {.size = {7, 2}, .mode = Mode::Cubic}),
       resized("bicubic, corners aligned", {1, 1, 3, 4},
               {.scale = {1.7, 2}, .mode = Mode::Cubic, .alignCorners = true}),
       resized("nothing to do", {1, 1, 3, 2}, {.size = {3, 2}, .mode = Mode::Linear})}};
  rows["pixelShuffle"] = {{unary("by 2", {2, 8, 2, 3}, [](const Tensor& t) { return pixelShuffle(t, 2); }),
                           unary("by 3", {1, 9, 1, 2}, [](const Tensor& t) { return pixelShuffle(t, 3); })}};
  rows["pixelUnshuffle"] = {{unary("by 2", {2, 2, 4, 6}, [](const Tensor& t) { return pixelUnshuffle(t, 2); })}};
  // Beside those of addShapeSamples, which pad with a number.
  for (const OpSample& sample :
       {padded("reflected", {2, 2, 4}, {0, 0, 3}, {0, 0, 2}, PadMode::Reflect),
        padded("replicated", {2, 1, 3, 2}, {0, 0, 1, 4}, {0, 0, 0, 3}, PadMode::Replicate),
        padded("around in a circle", {1, 2, 2, 3, 2}, {0, 0, 2, 0, 1}, {0, 0, 1, 3, 2}, PadMode::Circular),
        padded("every axis", {3, 4}, {0, 3}, {0, 1}, PadMode::Reflect)})
    rows["pad"].samples.push_back(sample);
}

}  // namespace ember::test
