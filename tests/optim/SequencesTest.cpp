// A hundred steps of each optimiser on a small net, against PyTorch (tests/golden/generate_optim_sequences.py).
#include <set>

#include <doctest/doctest.h>
#include <ember/ember.h>

#include "support/Golden.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("a hundred steps of every optimiser end where PyTorch's do, to nine digits") {
  const Json& cases = golden("optimSequences");
  const Json& net = cases.at(0);
  const Tensor x = tensorOf(net.at("x")), target = tensorOf(net.at("target"));
  std::set<std::string> types;
  for (std::size_t i = 1; i < cases.size(); ++i) {
    const Json& c = cases[i];
    CAPTURE(c.at("name").get<std::string>());
    nn::Parameters p;
    for (const auto& [name, value] : net.at("start").items())
      p.push_back({name, Tensor(tensorOf(value)).setRequiresGrad()});
    const auto type = c.at("type").get<std::string>();
    types.insert(type);
    const auto optimizer = optim::makeOptimizer(type, p, Value::parse(c.at("options").dump()));
    for (int step = 1; step <= 100; ++step) {
      optimizer->zeroGrad();
      const Tensor hidden = tanh(linear(x, p[0].tensor, p[1].tensor));
      mse(linear(hidden, p[2].tensor, p[3].tensor), target).backward();
      optimizer->step();
      const std::string at = std::to_string(step);
      if (!c.at("after").contains(at)) continue;
      for (const nn::Parameter& parameter : p) {
        const Tensor expected = Tensor::of<double>(c.at("after").at(at).at(parameter.name).get<std::vector<double>>(),
                                                   parameter.tensor.shape());
        CHECK_CLOSE(parameter.tensor, expected, (Tolerance{1e-9, 1e-12}), parameter.name << " after step " << step);
      }
    }
  }
  for (const std::string& type : optim::optimizerTypes()) CHECK_MESSAGE(types.contains(type), type << " has no case");
}
