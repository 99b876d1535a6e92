#include <ember/optim/Registry.h>

#include <algorithm>

#include <ember/core/Error.h>
#include <ember/nn/Pattern.h>
#include <ember/optim/Adadelta.h>
#include <ember/optim/Adagrad.h>
#include <ember/optim/Adam.h>
#include <ember/optim/Adamax.h>
#include <ember/optim/Lion.h>
#include <ember/optim/NAdam.h>
#include <ember/optim/RAdam.h>
#include <ember/optim/RMSProp.h>
#include <ember/optim/SGD.h>
#include <ember/optim/SMORMS3.h>

namespace ember::optim {

std::vector<std::string> optimizerTypes() {
  return {
#define EMBER_OPTIMIZER(Type) #Type,
#include <ember/optim/Optim.def>
#undef EMBER_OPTIMIZER
  };
}

std::unique_ptr<Optimizer> makeOptimizer(std::string_view type, nn::Parameters parameters, const Value& options) {
  std::unique_ptr<Optimizer> made;
#define EMBER_OPTIMIZER(Type) \
  if (type == #Type) made = std::make_unique<Type>(std::move(parameters), Type::optionsOf(options));
#include <ember/optim/Optim.def>
#undef EMBER_OPTIMIZER
  if (!made) {
    throw ValueError("makeOptimizer", "unknown optimiser \"" + std::string(type) + "\"", {},
                     nn::nearestHint(type, optimizerTypes()));
  }
  std::vector<std::string> known{"lr", "weightDecay"};
  for (const auto& [key, value] : made->options().members()) known.push_back(key);
  for (const auto& [key, value] : options.members()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      throw ValueError("makeOptimizer", std::string(type) + " has no option \"" + key + "\"", {},
                       nn::nearestHint(key, known));
    }
  }
  return made;
}

}  // namespace ember::optim
