#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/Onnx.h"

/// Runs ONNX's conformance cases on ember.
///
/// A row maps an op of ONNX to functions of ember: attributes and constant inputs become options, but no element is
/// computed outside of ember. Rows stand in one file a family (conformance/*Ops.cpp); what needs an option that ember
/// lacks throws Unsupported and is skipped with that reason.
namespace ember::test::onnx {

/// One node about to run: its attributes and its inputs.
struct Call {
  const Node& node;
  const Tensors& inputs;
  i64 opset;  ///< version of ONNX's operators that the model speaks

  /// Whether input i is there.
  bool has(std::size_t i) const { return i < inputs.size() && inputs[i].defined(); }
  /// Input i. Throws IoError if it is absent.
  const Tensor& in(std::size_t i) const;
  bool hasAttribute(std::string_view name) const { return node.attributes.contains(name); }
  i64 integer(std::string_view name, i64 otherwise) const;
  double number(std::string_view name, double otherwise) const;
  std::string text(std::string_view name, const char* otherwise) const;
  std::vector<i64> integers(std::string_view name, std::vector<i64> otherwise) const;
  std::vector<double> numbers(std::string_view name) const;
  /// The list that older operators take as an attribute and newer ones as input i; `otherwise` where neither is given.
  std::vector<i64> list(std::string_view name, std::size_t i, std::vector<i64> otherwise = {}) const;
  /// The number that older operators take as an attribute and newer ones as input i.
  double scalar(std::string_view name, std::size_t i, double otherwise) const;
};

enum class Match : u8 { Near, Exact };  ///< within ONNX's tolerance, or every bit

/// How an op of ONNX is computed.
struct Row {
  const char* op;
  Match match;
  Tensors (*run)(const Call&);
};
std::span<const Row> elementwiseOps();
std::span<const Row> shapeOps();
std::span<const Row> reductionOps();
std::span<const Row> indexOps();
std::span<const Row> spatialOps();
std::span<const Row> nnOps();

struct Outcome {
  enum class Verdict : u8 { Passed, Failed, Skipped } verdict;
  std::string reason;  ///< of a failure or a skip
};

/// Runs the case in a folder: model.onnx on test_data_set_*/input_*.pb, compared with output_*.pb. A result passes if
/// shape and type are equal and |actual - expected| <= 1e-7 + 1e-3·|expected| (ONNX's own tolerance), equal where the
/// type is an integer or every op of the model matches exactly.
Outcome runCase(const std::string& folder);

/// Where Debian's package libonnx-testdata puts its data.
inline constexpr const char* dataFolder = "/usr/share/libonnx-testdata/data";

}  // namespace ember::test::onnx
