#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ember/core/DType.h>

/// In which order the nodes of a Graph run, and who reads what.
namespace ember::nn {

struct GraphNode {
  std::string name;
  std::vector<std::string> from;  ///< "node", or "node:1" for its second tensor alone
};

struct GraphSource {
  std::size_t slot;  ///< inputs first, then nodes, as they were added
  i64 part;          ///< -1: all tensors
  std::string name;  ///< as written
};

struct GraphStep {
  static constexpr std::size_t none = static_cast<std::size_t>(-1);
  std::size_t node, slot;
  std::vector<GraphSource> sources;
  std::size_t soleReader = none;  ///< the step that alone reads all of this one, and nothing else
};

struct GraphPlan {
  std::vector<GraphStep> steps;
  std::vector<GraphSource> outputs;
  std::vector<int> readers;  ///< of each slot, the outputs of the net among them
};

/// Throws ValueError, in the name of Graph, for what stands at its class.
GraphPlan planOf(const std::vector<std::string>& inputs, const std::vector<GraphNode>& nodes,
                 const std::vector<std::string>& outputs);

/// "split:1" as "split" and "1"; the second is empty without a colon.
std::pair<std::string_view, std::string_view> nameAndPart(std::string_view source);

}  // namespace ember::nn
