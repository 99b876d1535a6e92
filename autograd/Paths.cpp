#include <ember/autograd/Paths.h>

#include <algorithm>
#include <utility>

namespace ember::autograd {

void Paths::explore(const std::shared_ptr<Node>& root) {
  if (!root || !leads_.emplace(root.get(), false).second) return;
  std::vector<std::pair<const Node*, std::size_t>> stack{{root.get(), 0}};  // nodes with the input to look at next
  while (!stack.empty()) {
    auto& [node, next] = stack.back();
    if (next < node->inputs.size()) {
      const Node* below = node->inputs[next++].node.get();
      if (!below || (independent_ && isWanted(below))) continue;
      if (leads_.emplace(below, false).second) stack.emplace_back(below, 0);
      continue;
    }
    bool any = false;
    for (const Node::Edge& edge : node->inputs) any = any || useful(edge);
    leads_[node] = any;
    stack.pop_back();
  }
}

bool Paths::isWanted(const Node* node) const {
  return std::any_of(wanted_.begin(), wanted_.end(), [&](const Wanted& w) { return w.node == node; });
}

bool Paths::useful(const Node::Edge& edge) const {
  if (edge.node && leads(edge.node.get())) return true;
  for (const Wanted& w : wanted_) {
    if (edge.leaf ? w.leaf == edge.leaf.get() : edge.node && w.node == edge.node.get() && w.output == edge.output)
      return true;
  }
  return false;
}

bool Paths::leads(const Node* node) const {
  const auto found = leads_.find(node);
  return found != leads_.end() && found->second;
}

}  // namespace ember::autograd
