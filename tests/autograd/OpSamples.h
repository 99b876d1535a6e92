#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ember/autograd/Tensor.h>

/// What the walk over autograd/Ops.def needs to know of each op: calls with operands, and what does not apply to it.
namespace ember::test {

/// What OpTableTest does with each row.
enum class Check {
  Gradient,
  SecondGradient,
  Composed,
  Strides,
  ChannelsLast,
  F32,
  Empty,
  ShapeOnly,
  Undefined,
  Stale,
  Repeat,
  Golden
};
const char* name(Check check);

/// One call of an op.
struct OpSample {
  std::string name;
  Tensors inputs;  ///< f64, or the type that the op wants; every f64 one is differentiated unless in `constant`
  std::function<Tensor(const Tensors&)> run;
  std::vector<int> batched = {};  ///< inputs whose axis 0 may be empty; none: the sample says nothing about empty input
  std::vector<int> constant = {};  ///< floating inputs that the op takes as given
  std::vector<int> optional = {};  ///< inputs that may be undefined
};

/// A row of the table.
struct OpRow {
  std::vector<OpSample> samples;
  std::map<Check, std::string> skips = {};  ///< with the reason, which is printed
};

using OpRows = std::map<std::string, OpRow>;  ///< by op name
const OpRows& opSamples();

/// The families that it is made of.
void addElementwiseSamples(OpRows& rows);
void addActivationSamples(OpRows& rows);
void addNormSamples(OpRows& rows);
void addReductionSamples(OpRows& rows);
void addNumPySamples(OpRows& rows);
void addIndexingSamples(OpRows& rows);
void addShapeSamples(OpRows& rows);
void addSpatialSamples(OpRows& rows);
void addResizeSamples(OpRows& rows);
void addLossSamples(OpRows& rows);
void addMoreLossSamples(OpRows& rows);

}  // namespace ember::test
