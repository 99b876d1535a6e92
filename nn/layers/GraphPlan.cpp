#include <ember/nn/layers/GraphPlan.h>

#include <algorithm>
#include <charconv>
#include <map>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>
#include <ember/nn/Pattern.h>

namespace ember::nn {
namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& help) {
  throw ValueError("Graph", what, {}, help);
}

class Planner {
 public:
  Planner(const std::vector<std::string>& inputs, const std::vector<GraphNode>& nodes)
      : inputs_(inputs), nodes_(nodes) {
    for (const std::string& input : inputs) names_.push_back(input);
    for (const GraphNode& node : nodes) names_.push_back(node.name);
    for (std::size_t i = 0; i < names_.size(); ++i) slots_.emplace(names_[i], i);
  }

  std::vector<GraphSource> sourcesOf(const std::string& reader, const std::vector<std::string>& from) const {
    std::vector<GraphSource> sources;
    for (const std::string& source : from) {
      const auto [name, part] = nameAndPart(source);
      const auto slot = slots_.find(name);
      if (slot == slots_.end())
        refuse(reader + " reads " + io::inQuotes(name) + ", which is not there", nearestHint(name, names_));
      i64 index = -1;
      if (part.data() != nullptr) {
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
        if (error != std::errc() || end != part.data() + part.size() || index < 0)
          refuse(reader + " reads " + io::inQuotes(source), "behind the colon stands the number of the tensor, from 0");
      }
      sources.push_back({slot->second, index, source});
    }
    return sources;
  }

  /// Every node behind those that it reads: a walk along the edges, on a stack of our own because nets may be long.
  std::vector<GraphStep> steps() const {
    std::vector<GraphStep> all;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const std::string reader = "the node " + io::inQuotes(nodes_[i].name);
      if (nodes_[i].from.empty()) refuse(reader + " reads nothing", "name the inputs and nodes that it reads");
      all.push_back({i, inputs_.size() + i, sourcesOf(reader, nodes_[i].from)});
    }
    enum class State : u8 { New, Open, Done };
    std::vector<State> states(all.size(), State::New);
    std::vector<GraphStep> order;
    struct Visit {
      std::size_t node, next = 0;
    };
    for (std::size_t root = 0; root < all.size(); ++root) {
      if (states[root] == State::Done) continue;
      std::vector<Visit> path{{root}};
      states[root] = State::Open;
      while (!path.empty()) {
        Visit& visit = path.back();
        const std::vector<GraphSource>& sources = all[visit.node].sources;
        if (visit.next == sources.size()) {
          states[visit.node] = State::Done;
          order.push_back(all[visit.node]);
          path.pop_back();
          continue;
        }
        const std::size_t slot = sources[visit.next++].slot;
        if (slot < inputs_.size()) continue;
        const std::size_t node = slot - inputs_.size();
        if (states[node] == State::Open) refuseCycle(path, node);
        if (states[node] == State::Done) continue;
        states[node] = State::Open;
        path.push_back({node});
      }
    }
    return order;
  }

  /// The path goes against the data: each node reads the next, the last one reads `first`.
  template <class Path>
  [[noreturn]] void refuseCycle(const Path& path, std::size_t first) const {
    std::string text = nodes_[first].name;
    for (std::size_t i = path.size(); i-- > 0;) {
      text += " -> " + nodes_[path[i].node].name;
      if (path[i].node == first) break;
    }
    refuse("the nodes make a cycle: " + text, "a node cannot read what is computed from its own result");
  }

  /// Everything must lead to an output: what does not was forgotten or is dead.
  void checkAllRead(const GraphPlan& plan) const {
    std::vector<bool> useful(names_.size(), false);
    for (const GraphSource& source : plan.outputs) useful[source.slot] = true;
    for (std::size_t i = plan.steps.size(); i-- > 0;) {
      if (!useful[plan.steps[i].slot]) continue;
      for (const GraphSource& source : plan.steps[i].sources) useful[source.slot] = true;
    }
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (useful[i]) continue;
      refuse((i < inputs_.size() ? "the input " : "the node ") + io::inQuotes(names_[i]) + " leads to no output",
             "let a node read it, name it in output(), or leave it out");
    }
  }

 private:
  const std::vector<std::string>& inputs_;
  const std::vector<GraphNode>& nodes_;
  std::vector<std::string> names_;
  std::map<std::string, std::size_t, std::less<>> slots_;
};

}  // namespace

std::pair<std::string_view, std::string_view> nameAndPart(std::string_view source) {
  const std::size_t colon = source.find(':');
  if (colon == source.npos) return {source, {}};
  return {source.substr(0, colon), source.substr(colon + 1)};
}

GraphPlan planOf(const std::vector<std::string>& inputs, const std::vector<GraphNode>& nodes,
                 const std::vector<std::string>& outputs) {
  if (outputs.empty()) refuse("there are no outputs", "call output({\"name\"}) with what forward is to give");
  const Planner planner(inputs, nodes);
  GraphPlan plan{planner.steps(), planner.sourcesOf("the output", outputs), {}};
  planner.checkAllRead(plan);
  plan.readers.assign(inputs.size() + nodes.size(), 0);
  std::vector<std::size_t> readerOf(plan.readers.size(), GraphStep::none);
  for (std::size_t s = 0; s < plan.steps.size(); ++s) {
    for (const GraphSource& source : plan.steps[s].sources) {
      ++plan.readers[source.slot];
      readerOf[source.slot] = plan.steps[s].sources.size() == 1 && source.part < 0 ? s : GraphStep::none;
    }
  }
  for (const GraphSource& source : plan.outputs) ++plan.readers[source.slot];
  for (GraphStep& step : plan.steps) {
    // One reader, and that no output.
    if (plan.readers[step.slot] == 1) step.soleReader = readerOf[step.slot];
  }
  return plan;
}

}  // namespace ember::nn
