#include "autograd/OpSamples.h"

namespace ember::test {

const char* name(Check check) {
  switch (check) {
    case Check::Gradient:
      return "gradcheck";
    case Check::SecondGradient:
      return "gradgradcheck";
    case Check::Composed:
      return "the composed backward";
    case Check::Strides:
      return "other strides";
    case Check::ChannelsLast:
      return "channels last";
    case Check::F32:
      return "f32";
    case Check::Empty:
      return "an empty batch";
    case Check::ShapeOnly:
      return "shape-only operands";
    case Check::Undefined:
      return "undefined operands";
    case Check::Stale:
      return "stale operands";
    case Check::Repeat:
      return "repetition";
    case Check::Golden:
      break;
  }
  return "golden values";
}

const OpRows& opSamples() {
  static const OpRows rows = [] {
    OpRows all;
    addElementwiseSamples(all);
    addActivationSamples(all);
    addNormSamples(all);
    addReductionSamples(all);
    addNumPySamples(all);
    addIndexingSamples(all);
    addShapeSamples(all);
    addSpatialSamples(all);
    addResizeSamples(all);
    addLossSamples(all);
    addMoreLossSamples(all);
    return all;
  }();
  return rows;
}

}  // namespace ember::test
