#include <ember/nn/layers/Graph.h>

#include <algorithm>
#include <mutex>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>
#include <ember/nn/Fusion.h>
#include <ember/nn/Registry.h>
#include <ember/nn/layers/GraphPlan.h>

// A slot is an input of the net or a node: what it gives stays in its slot until the last reader takes it. The plan,
// the order of the nodes with their slots, is made once and read by every forward.

namespace ember::nn {

struct Graph::Plan : GraphPlan {};

struct Graph::Cache {
  std::mutex mutex;
  std::shared_ptr<const Plan> plan;
};

namespace {

constexpr const char* type = "Graph";

[[noreturn]] void refuse(const std::string& what, const std::string& help) { throw ValueError(type, what, {}, help); }

void checkWord(std::string_view name) {
  const char* form = "names are 1 to 1024 bytes of printable UTF-8 without a dot or colon";
  if (const std::string problem = io::nameProblem(name); !problem.empty())
    refuse("the name " + io::inQuotes(name) + " " + problem, form);
  if (name.find_first_of(".:") != name.npos) refuse("the name " + io::inQuotes(name) + " has a dot or a colon", form);
}

}  // namespace

// ---- building ----

Graph& Graph::input(std::string_view name) {
  checkWord(name);
  if (from_.contains(name) || std::find(inputs_.begin(), inputs_.end(), name) != inputs_.end())
    refuse("the name " + io::inQuotes(name) + " is already taken", "give each input and node a name of its own");
  inputs_.emplace_back(name);
  changed();
  return *this;
}

void Graph::checkNode(std::string_view name, const std::vector<std::string>& from) const {
  checkWord(name);
  if (std::find(inputs_.begin(), inputs_.end(), name) != inputs_.end())
    refuse("the name " + io::inQuotes(name) + " is that of an input", "give each input and node a name of its own");
  if (from.empty())
    refuse("the node " + io::inQuotes(name) + " reads nothing", "name the inputs and nodes that it reads");
}

void Graph::connect(std::string_view name, std::vector<std::string> from) {
  from_.insert_or_assign(std::string(name), std::move(from));
  changed();
}

Module& Graph::addNode(std::string_view name, std::unique_ptr<Module> module, std::vector<std::string> from) {
  checkNode(name, from);
  Module& node = addChild(name, std::move(module));
  connect(name, std::move(from));
  return node;
}

Graph& Graph::output(std::vector<std::string> from) {
  outputs_ = std::move(from);
  changed();
  return *this;
}

void Graph::changed() { cache_ = std::make_shared<Cache>(); }

// ---- running ----

std::shared_ptr<const Graph::Plan> Graph::makePlan() const {
  std::vector<GraphNode> nodes;
  for (std::size_t i = 0; i < childCount(); ++i) {
    const auto from = from_.find(child(i).name());
    nodes.push_back({child(i).name(), from == from_.end() ? std::vector<std::string>() : from->second});
  }
  return std::make_shared<const Plan>(Plan{planOf(inputs_, nodes, outputs_)});
}

std::shared_ptr<const Graph::Plan> Graph::plan() const {
  if (!cache_) return makePlan();  // nothing was ever added
  // Forward in eval mode may run from many threads.
  const std::lock_guard lock(cache_->mutex);
  if (!cache_->plan || cache_->plan->steps.size() != childCount()) cache_->plan = makePlan();
  return cache_->plan;
}

void Graph::check() const { (void)plan(); }

Tensors Graph::forward(const Tensors& inputs) {
  const std::shared_ptr<const Plan> plan = this->plan();
  checkInputs(inputs, inputs_.size(), inputs_.size());
  std::vector<Tensors> slots(inputs.size() + plan->steps.size());
  std::vector<int> readers = plan->readers;
  for (std::size_t i = 0; i < inputs.size(); ++i) slots[i] = {inputs[i]};

  const auto gather = [&](const std::string& reader, const std::vector<GraphSource>& sources) {
    Tensors values;
    for (const GraphSource& source : sources) {
      Tensors& slot = slots[source.slot];
      if (source.part >= static_cast<i64>(slot.size())) {
        throw StateError(type, reader + " reads " + io::inQuotes(source.name) + ", but that node gave " +
                                   std::to_string(slot.size()) + " tensors");
      }
      const bool last = --readers[source.slot] == 0;
      for (std::size_t i = 0; i < slot.size(); ++i) {
        if (source.part >= 0 && source.part != static_cast<i64>(i)) continue;
        values.push_back(last ? std::move(slot[i]) : slot[i]);
      }
      if (last) slot.clear();
    }
    return values;
  };

  std::vector<bool> done(plan->steps.size(), false);
  for (std::size_t s = 0; s < plan->steps.size(); ++s) {
    if (done[s]) continue;
    const GraphStep& step = plan->steps[s];
    Module& node = child(step.node);
    const Tensors values = gather("the node " + io::inQuotes(node.name()), step.sources);
    const std::size_t next = step.soleReader;
    if (next != GraphStep::none && values.size() == 1 && runAsOne(node, child(plan->steps[next].node))) {
      slots[plan->steps[next].slot] = runFused(node, child(plan->steps[next].node), values);
      done[next] = true;
    } else {
      slots[step.slot] = node(values);
    }
  }
  return gather("the output", plan->outputs);
}

// ---- rebuilding and showing ----

Args Graph::args() const {
  Value nodes = Value::array();
  const Value children = describeChildren(*this);
  for (const Value& described : children.elements()) {
    Value node = described;
    const auto from = from_.find(node.get<std::string>("name"));
    if (from != from_.end()) node.set("from", from->second);
    nodes.push(std::move(node));
  }
  return {{"inputs", inputs_}, {"nodes", std::move(nodes)}, {"outputs", outputs_}};
}

Graph Graph::fromArgs(const Args& args) {
  Graph net;
  for (const std::string& name : args.get<std::vector<std::string>>("inputs")) net.input(name);
  for (const Value& node : args.at("nodes").elements())
    net.addNode(node.get<std::string>("name"), buildChild(node), node.get<std::vector<std::string>>("from"));
  return std::move(net.output(args.get<std::vector<std::string>>("outputs")));
}

std::string Graph::details() const {
  std::string text;
  for (const std::string& name : inputs_) text += (text.empty() ? "" : ", ") + name;
  text += " ->";
  for (const std::string& name : outputs_) text += (text.ends_with('>') ? " " : ", ") + name;
  return text;
}

std::string Graph::toDot() const {
  const auto quoted = [](std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') result += '\\';
      result += c;
    }
    return result + "\"";
  };
  std::string text = "digraph " + quoted(name().empty() ? type : name()) + " {\n  node [shape=box];\n";
  for (const std::string& name : inputs_) text += "  " + quoted(name) + " [shape=oval];\n";
  for (std::size_t i = 0; i < childCount(); ++i) {
    const Module& node = child(i);
    const std::string details = node.details();
    std::string label = quoted(node.name() + "\n" + node.typeName() + (details.empty() ? "" : " " + details));
    for (std::size_t at = 0; (at = label.find('\n', at)) != label.npos;) label.replace(at, 1, "\\n");
    text += "  " + quoted(node.name()) + " [label=" + label + "];\n";
  }
  const auto edge = [&](std::string_view from, const std::string& to) {
    const auto [name, part] = nameAndPart(from);
    text += "  " + quoted(name) + " -> " + to + (part.empty() ? "" : " [label=" + quoted(part) + "]") + ";\n";
  };
  for (std::size_t i = 0; i < childCount(); ++i) {
    const auto from = from_.find(child(i).name());
    if (from == from_.end()) continue;
    for (const std::string& source : from->second) edge(source, quoted(child(i).name()));
  }
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const std::string out = quoted("output:" + std::to_string(i));  // no node has a colon in its name
    const std::string label = outputs_.size() == 1 ? "output" : "output " + std::to_string(i);
    text += "  " + out + " [shape=oval, label=" + quoted(label) + "];\n";
    edge(outputs_[i], out);
  }
  return text + "}\n";
}

}  // namespace ember::nn
