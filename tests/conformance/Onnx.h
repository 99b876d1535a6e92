#pragma once
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <ember/autograd/Tensor.h>

/// What the conformance vectors of ONNX consist of: models and tensors, read from protocol buffers
/// (conformance/Wire.h). Field numbers are those of onnx.proto. Malformed bytes throw IoError (sizes that no tensor
/// has: ShapeError), what ember has no type for throws Unsupported.
namespace ember::test::onnx {

/// A case asks for what ember does not have; the reason says what.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// An attribute of a node; the member that its type names is filled.
struct Attribute {
  double number = 0;
  i64 integer = 0;
  std::string text;
  Tensor tensor;
  std::vector<double> numbers;
  std::vector<i64> integers;
  std::vector<std::string> texts;
};

struct Node {
  std::string op, domain;
  std::vector<std::string> inputs, outputs;  ///< names of values; "" is an absent optional one
  std::map<std::string, Attribute, std::less<>> attributes;
};

/// A value that goes into a graph or comes out of it.
struct Port {
  std::string name;
  bool isTensor = true;  ///< and no sequence, optional or map
};

struct Model {
  i64 opset = 0;  ///< of the default domain
  std::vector<Node> nodes;
  std::map<std::string, Tensor, std::less<>> constants;  ///< initializers
  std::vector<Port> inputs, outputs;                     ///< inputs without those that are initializers
};

/// Reads a ModelProto; `name` stands in errors.
Model parseModel(std::string_view bytes, const std::string& name);
/// Reads a TensorProto: raw_data or the typed lists, packed or not.
Tensor parseTensor(std::string_view bytes, const std::string& name);

/// The element type of that number in TensorProto.DataType. Throws Unsupported("dtype ...") where ember has none.
DType dtypeOf(i64 onnxType);

/// The bytes of a file.
std::string readBytes(const std::string& path);

}  // namespace ember::test::onnx
