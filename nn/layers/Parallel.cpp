#include <ember/nn/layers/Parallel.h>

#include <array>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/nn/Registry.h>

namespace ember::nn {
namespace {

constexpr std::array<const char*, 4> words = {"list", "concat", "add", "mul"};

const char* wordOf(Join join) { return words[static_cast<std::size_t>(join)]; }

Join joinOf(const std::string& word) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (word == words[i]) return static_cast<Join>(i);
  }
  throw ValueError("Parallel", "there is no join \"" + word + "\"", {}, "use list, concat, add or mul");
}

}  // namespace

Tensors Parallel::forward(const Tensors& inputs) {
  const std::size_t count = childCount();
  if (count == 0) throw StateError("Parallel", "there are no branches", {}, "give it modules");
  if (inputs.size() != 1 && inputs.size() != count) {
    throw StateError("Parallel",
                     "forward takes one tensor for all branches or one for each of the " + std::to_string(count) +
                         ", got " + std::to_string(inputs.size()));
  }
  Tensors results;
  for (std::size_t i = 0; i < count; ++i) {
    for (Tensor& result : child(i)(inputs.size() == 1 ? inputs : Tensors{inputs[i]}))
      results.push_back(std::move(result));
  }
  if (options_.join == Join::List || results.size() == 1) return results;
  if (options_.join == Join::Concat) return {concat(results, options_.axis)};
  Tensor joined = std::move(results[0]);
  for (std::size_t i = 1; i < results.size(); ++i) {
    if (options_.join == Join::Add)
      joined = std::move(joined) + std::move(results[i]);
    else
      joined = joined * results[i];
  }
  return {joined};
}

Args Parallel::args() const {
  Args a{{"join", wordOf(options_.join)}};
  if (options_.join == Join::Concat) a.set("axis", options_.axis);
  return a.set("branches", describeChildren(*this));
}

Parallel Parallel::fromArgs(const Args& args) {
  Parallel net({.join = joinOf(args.get<std::string>("join")), .axis = args.get<int>("axis", 1)});
  addChildren(net, args.at("branches"));
  return net;
}

std::string Parallel::details() const {
  std::string text = wordOf(options_.join);
  if (options_.join == Join::Concat) text += " along axis " + std::to_string(options_.axis);
  return text;
}

}  // namespace ember::nn
