#include <ember/autograd/ops/Pad.h>

#include "autograd/OpSamples.h"
#include "support/Draw.h"

// What changes sizes: padding with what lies inside.

namespace ember::test {
namespace {

OpSample padded(const char* name, const Shape& x, const std::vector<i64>& before, const std::vector<i64>& after,
                PadMode mode) {
  return {name, {draw(name, x)}, [=](const Tensors& in) { return pad(in[0], before, after, mode); }, {0}};
}

}  // namespace

void addResizeSamples(OpRows& rows) {
  // Beside those of addShapeSamples, which pad with a number.
  for (const OpSample& sample :
       {padded("reflected", {2, 2, 4}, {0, 0, 3}, {0, 0, 2}, PadMode::Reflect),
        padded("replicated", {2, 1, 3, 2}, {0, 0, 1, 4}, {0, 0, 0, 3}, PadMode::Replicate),
        padded("around in a circle", {1, 2, 2, 3, 2}, {0, 0, 2, 0, 1}, {0, 0, 1, 3, 2}, PadMode::Circular),
        padded("every axis", {3, 4}, {0, 3}, {0, 1}, PadMode::Reflect)})
    rows["pad"].samples.push_back(sample);
}

}  // namespace ember::test
