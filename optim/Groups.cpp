#include <ember/optim/Groups.h>

namespace ember::optim {

std::vector<Group> noDecay(const std::vector<std::string>& patterns) {
  std::vector<Group> groups;
  for (const std::string& pattern : patterns) groups.push_back({.pattern = pattern, .weightDecay = 0});
  return groups;
}

std::vector<Group> noDecay(const nn::Module& net) {
  std::vector<std::string> norms;  // paths with a dot behind them
  for (const auto& [path, module] : net.namedModules()) {
    const std::string type = module->typeName();
    // What a weight norm holds is a layer: of its tensors only the lengths are scales.
    if (type.find("Norm") != std::string::npos && type != "WeightNorm") norms.push_back(path.empty() ? path : path + ".");
  }
  std::vector<std::string> names;
  for (const nn::Parameter& p : net.namedParameters()) {
    bool free = p.tensor.rank() <= 1 || p.name == "bias" || p.name.ends_with(".bias") || p.name.ends_with("weight_g");
    for (const std::string& norm : norms) free = free || p.name.starts_with(norm);
    if (free) names.push_back(p.name);
  }
  return noDecay(names);
}

}  // namespace ember::optim
