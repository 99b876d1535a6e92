#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ember/nn/Module.h>

namespace ember::nn {

/// A net of named nodes, each a module that reads inputs of the net or what other nodes give; several inputs, several
/// outputs. Nodes may be added in any order.
///
///   nn::Graph net;
///   net.input("x");
///   net.add("conv", nn::Conv2D(8, 8, {.kernel = 3, .padding = 1, .bias = false}), {"x"});
///   net.add("norm", nn::BatchNorm2D(8, {.act = nn::Act::ReLU}), {"conv", "x"});      // act(norm(conv(x)) + x)
///   net.output({"norm"});
///
/// A name stands for all tensors that its node gives, one behind the other; "split:1" for the second alone. The first
/// forward, and check(), throw ValueError, with the names, for a cycle, for an edge from a name that is not there (the
/// nearest is told), for a node or input that leads to no output, and without outputs. Nodes run in an order that
/// depends on the edges and, where these leave a choice, on the order of adding; a tensor is let go when its last
/// reader has it. A layer with an activation that alone reads it behind runs as one op (nn/Fusion.h).
class Graph : public Module {
 public:
  using Module::forward;
  Graph() = default;

  /// Names the next input of the net. ValueError for a name that is taken, empty, or has a colon.
  Graph& input(std::string_view name);
  /// A node that reads `from`; returns the module in its place. ValueError for such names, and if `from` is empty.
  template <class M>
  std::decay_t<M>& add(std::string_view name, M&& module, std::vector<std::string> from) {
    checkNode(name, from);
    std::decay_t<M>& node = Module::add(name, std::forward<M>(module));
    connect(name, std::move(from));
    return node;
  }
  /// The same for a module whose type is not known.
  Module& addNode(std::string_view name, std::unique_ptr<Module> module, std::vector<std::string> from);
  /// What forward gives, in this order; a second call replaces the first.
  Graph& output(std::vector<std::string> from);

  /// Throws what the first forward would throw.
  void check() const;
  /// The net as text for Graphviz: `dot -Tsvg`. Draws what is there, complete or not.
  std::string toDot() const;

  /// As many tensors as there are inputs, else StateError.
  Tensors forward(const Tensors& inputs) override;
  Args args() const override;
  static Graph fromArgs(const Args& args);
  std::string details() const override;

 private:
  struct Plan;
  struct Cache;
  std::vector<std::string> inputs_, outputs_;
  std::map<std::string, std::vector<std::string>, std::less<>> from_;  ///< what a node reads, by its name
  std::shared_ptr<Cache> cache_;  ///< of the plan; shared by nobody, a handle whose type need not be known here

  void checkNode(std::string_view name, const std::vector<std::string>& from) const;
  void connect(std::string_view name, std::vector<std::string> from);
  void changed();
  std::shared_ptr<const Plan> plan() const;
  std::shared_ptr<const Plan> makePlan() const;
};

}  // namespace ember::nn
