#pragma once
#include <memory>
#include <unordered_map>
#include <vector>

#include <ember/autograd/Graph.h>

namespace ember::autograd {

/// A gradient that gradients() was asked for: of a leaf, or of one output of a node.
struct Wanted {
  const TensorImpl* leaf;
  const Node* node;
  u32 output;
};

/// Behind which nodes of a graph some wanted tensor lies: gradients() walks no others. `wanted` must outlive this.
class Paths {
 public:
  explicit Paths(const std::vector<Wanted>& wanted) : wanted_(wanted) {}

  /// Looks at the graph from `root` (may be null) down, without recursion.
  void explore(const std::shared_ptr<Node>& root);
  /// Whether a gradient along this edge reaches a wanted tensor.
  bool useful(const Node::Edge& edge) const;
  /// Whether a wanted tensor lies behind the inputs of that node.
  bool leads(const Node* node) const;

 private:
  const std::vector<Wanted>& wanted_;
  std::unordered_map<const Node*, bool> leads_;
};

}  // namespace ember::autograd
