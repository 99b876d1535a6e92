#pragma once
#include <memory>
#include <unordered_map>
#include <vector>

#include <ember/autograd/Graph.h>

namespace ember::autograd {

/// Behind which nodes of a graph some wanted tensor lies: gradients() walks no others. `wanted` must outlive this.
class Paths {
 public:
  /// `independent`: nothing lies behind a wanted tensor.
  Paths(const std::vector<Wanted>& wanted, bool independent) : wanted_(wanted), independent_(independent) {}

  /// Looks at the graph from `root` (may be null) down, without recursion.
  void explore(const std::shared_ptr<Node>& root);
  /// Whether a gradient along this edge reaches a wanted tensor.
  bool useful(const Node::Edge& edge) const;
  /// Whether a wanted tensor lies behind the inputs of that node.
  bool leads(const Node* node) const;

 private:
  bool isWanted(const Node* node) const;

  const std::vector<Wanted>& wanted_;
  bool independent_;
  std::unordered_map<const Node*, bool> leads_;
};

}  // namespace ember::autograd
