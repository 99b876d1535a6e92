#include <ember/nn/models/Start.h>

#include <cmath>

#include <ember/nn/layers/BatchNormND.h>
#include <ember/nn/layers/ConvND.h>
#include <ember/nn/layers/Linear.h>

namespace ember::nn::models {

void draw(Module& net, const Start& start) {
  for (const auto& [path, module] : net.namedModules()) {
    if (auto* conv = dynamic_cast<ConvND*>(module)) {
      init::kaimingNormal_(conv->weight, 0, start.fan);
      if (conv->bias.defined()) init::constant_(conv->bias, 0);
    } else if (auto* norm = dynamic_cast<BatchNormND*>(module)) {
      if (norm->weight.defined()) init::constant_(norm->weight, 1);
      if (norm->bias.defined()) init::constant_(norm->bias, 0);
    } else if (auto* linear = dynamic_cast<Linear*>(module)) {
      const double bound = 1 / std::sqrt(static_cast<double>(linear->weight.size(1)));
      if (start.linearStd > 0)
        init::normal_(linear->weight, 0, start.linearStd);
      else
        init::uniform_(linear->weight, -bound, bound);
      if (!linear->bias.defined()) continue;
      if (start.zeroBiases)
        init::constant_(linear->bias, 0);
      else
        init::uniform_(linear->bias, -bound, bound);
    }
  }
}

}  // namespace ember::nn::models
