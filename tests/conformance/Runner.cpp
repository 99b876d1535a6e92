#include "conformance/Runner.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include <ember/core/Error.h>

namespace ember::test::onnx {
namespace {

namespace fs = std::filesystem;

/// Why ops have no row, where that is a decision.
struct Absent {
  const char* reason;
  std::vector<std::string_view> ops;
};
const std::vector<Absent>& absentOps() {
  static const std::vector<Absent> list = {
      {"recurrent layers", {"LSTM", "GRU", "RNN"}},
      {"control flow in a graph", {"If", "Loop", "Scan"}},
      {"quantised arithmetic",
       {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger",
        "MatMulInteger"}},
      {"sequences and optionals",
       {"SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength",
        "SequenceMap", "SplitToSequence", "ConcatFromSequence", "OptionalGetElement", "OptionalHasElement",
        "Optional"}},
      {"texts", {"StringNormalizer", "TfIdfVectorizer"}},
      {"signal processing",
       {"DFT", "STFT", "MelWeightMatrix", "HannWindow", "HammingWindow", "BlackmanWindow"}},
      {"object detection", {"NonMaxSuppression", "RoiAlign"}},
      {"another generator's random numbers", {"Bernoulli"}},
      {"bits of integers", {"BitShift"}},
  };
  return list;
}

const Row* findRow(std::string_view op) {
  for (const auto rows : {elementwiseOps(), shapeOps(), reductionOps(), indexOps(), spatialOps(), nnOps()}) {
    for (const Row& row : rows) {
      if (op == row.op) return &row;
    }
  }
  return nullptr;
}

const Row& rowOf(const Node& node) {
  if (node.domain.empty() || node.domain == "ai.onnx") {
    if (const Row* row = findRow(node.op)) return *row;
  }
  for (const Absent& absent : absentOps()) {
    for (const std::string_view op : absent.ops) {
      if (node.op == op) throw Unsupported(absent.reason);
    }
  }
  if (node.domain.starts_with("ai.onnx.")) throw Unsupported("domain " + node.domain);
  throw Unsupported("no op in ember: " + node.op);
}

/// The op of ONNX's training domain that asks for derivatives of one value in others.
bool isGradient(const Node& node) { return node.domain == "ai.onnx.preview.training" && node.op == "Gradient"; }

/// d(y)/d(xs), where the attributes name values of the graph.
template <class Value>
Tensors gradientsOf(const Node& node, Value&& value) {
  Tensors xs;
  for (const std::string& name : node.attributes.at("xs").texts) xs.push_back(value(name));
  return gradients({value(node.attributes.at("y").text)}, xs);
}

std::vector<Tensor> readTensors(const fs::path& folder, const char* prefix, const std::vector<Port>& ports) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const std::string path = (folder / fmt::format("{}_{}.pb", prefix, i)).string();
    tensors.push_back(parseTensor(readBytes(path), path));
  }
  return tensors;
}

/// The outputs of a model; a node without a row is a gradient.
Tensors evaluate(const Model& model, const std::vector<const Row*>& rows, const Tensors& inputs) {
  std::map<std::string, Tensor, std::less<>> values = model.constants;
  const bool differentiated = std::any_of(model.nodes.begin(), model.nodes.end(), isGradient);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Tensor input = inputs[i];
    values.insert_or_assign(model.inputs[i].name, differentiated ? input.setRequiresGrad() : input);
  }
  const auto value = [&](const std::string& name) {
    const auto found = values.find(name);
    if (found == values.end()) throw IoError("onnx", fmt::format("nothing computes the value \"{}\"", name));
    return found->second;
  };
  for (std::size_t i = 0; i < model.nodes.size(); ++i) {
    const Node& node = model.nodes[i];
    Tensors operands;
    for (const std::string& name : node.inputs) operands.push_back(name.empty() ? Tensor() : value(name));
    const Tensors results = rows[i] ? rows[i]->run({node, operands, model.opset}) : gradientsOf(node, value);
    if (results.size() < node.outputs.size()) {
      throw Unsupported(fmt::format("output {} of {}", results.size(), node.op));
    }
    for (std::size_t k = 0; k < node.outputs.size(); ++k) values.insert_or_assign(node.outputs[k], results[k]);
  }
  Tensors outputs;
  for (const Port& port : model.outputs) outputs.push_back(value(port.name));
  return outputs;
}

/// What is wrong with a result, empty if nothing is.
std::string difference(const Tensor& actual, const Tensor& expected, Match match) {
  if (actual.shape() != expected.shape() || actual.dtype() != expected.dtype()) {
    return fmt::format("got {} {}, expected {} {}", toString(actual.shape()), name(actual.dtype()),
                       toString(expected.shape()), name(expected.dtype()));
  }
  const bool exact = match == Match::Exact || !isFloating(expected.dtype());
  const std::vector<double> a = actual.toVector<double>(), b = expected.toVector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool same = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
    if (!same && (exact || !(std::abs(a[i] - b[i]) <= 1e-7 + 1e-3 * std::abs(b[i])))) {
      return fmt::format("element {} of {} is {}, expected {}", i, a.size(), a[i], b[i]);
    }
  }
  return "";
}

template <class T, class Get>
T attributeOr(const Node& node, std::string_view name, T otherwise, Get get) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? otherwise : T(get(found->second));
}

void checkPorts(const std::vector<Port>& ports) {
  for (const Port& port : ports) {
    if (!port.isTensor) throw Unsupported("sequences and optionals");
  }
}

std::string runModel(const fs::path& folder) {
  const std::string path = (folder / "model.onnx").string();
  const Model model = parseModel(readBytes(path), path);
  std::vector<const Row*> rows;
  Match match = Match::Exact;
  for (const Node& node : model.nodes) {
    rows.push_back(isGradient(node) ? nullptr : &rowOf(node));
    if (!rows.back() || rows.back()->match == Match::Near) match = Match::Near;
  }
  checkPorts(model.inputs);
  checkPorts(model.outputs);
  int sets = 0;
  for (; fs::exists(folder / fmt::format("test_data_set_{}", sets)); ++sets) {
    const fs::path data = folder / fmt::format("test_data_set_{}", sets);
    const Tensors inputs = readTensors(data, "input", model.inputs);
    const Tensors expected = readTensors(data, "output", model.outputs);
    const Tensors actual = evaluate(model, rows, inputs);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const std::string wrong = difference(actual[i], expected[i], match);
      if (!wrong.empty()) return fmt::format("output {} of data set {}: {}", i, sets, wrong);
    }
  }
  return sets ? "" : "no data set";
}

}  // namespace

const Tensor& Call::in(std::size_t i) const {
  if (!has(i)) throw IoError("onnx", fmt::format("{} lacks input {}", node.op, i));
  return inputs[i];
}

i64 Call::integer(std::string_view name, i64 otherwise) const {
  return attributeOr(node, name, otherwise, [](const Attribute& a) { return a.integer; });
}

double Call::number(std::string_view name, double otherwise) const {
  return attributeOr(node, name, otherwise, [](const Attribute& a) { return a.number; });
}

std::string Call::text(std::string_view name, const char* otherwise) const {
  return attributeOr(node, name, std::string(otherwise), [](const Attribute& a) { return a.text; });
}

std::vector<i64> Call::integers(std::string_view name, std::vector<i64> otherwise) const {
  return attributeOr(node, name, std::move(otherwise), [](const Attribute& a) { return a.integers; });
}

std::vector<double> Call::numbers(std::string_view name) const {
  return attributeOr(node, name, std::vector<double>{}, [](const Attribute& a) { return a.numbers; });
}

std::vector<i64> Call::list(std::string_view name, std::size_t i, std::vector<i64> otherwise) const {
  return has(i) ? inputs[i].toVector<i64>() : integers(name, std::move(otherwise));
}

double Call::scalar(std::string_view name, std::size_t i, double otherwise) const {
  return has(i) ? inputs[i].item() : number(name, otherwise);
}

Outcome runCase(const std::string& folder) {
  try {
    const std::string wrong = runModel(folder);
    return {wrong.empty() ? Outcome::Verdict::Passed : Outcome::Verdict::Failed, wrong};
  } catch (const Unsupported& unsupported) {
    return {Outcome::Verdict::Skipped, unsupported.what()};
  } catch (const std::exception& error) {
    return {Outcome::Verdict::Failed, error.what()};
  }
}

}  // namespace ember::test::onnx
