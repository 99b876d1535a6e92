#include <utility>

#include <doctest/doctest.h>

#include <ember/optim/Clip.h>
#include <ember/optim/Ema.h>

#include "oom/Run.h"
#include "support/Draw.h"

using namespace ember;
using namespace ember::test;

namespace {

// Parameters with gradients: one dense, one behind other strides, so that row-major copies are made of it.
struct Weights : nn::Module {
  using Module::forward;
  Weights() {
    for (Parameter p : namedParameters()) p.tensor.setGrad(draw("gradient", p.tensor.shape()).to(DType::F32));
  }
  using Parameter = nn::Parameter;
  Tensor dense = addParameter("dense", draw("dense", {3, 4}).to(DType::F32));
  Tensor apart = addParameter("apart", strided(draw("apart", {4, 5}).to(DType::F32)));
};

std::string bytesOfGradients(const nn::Module& net) {
  std::string bytes;
  for (const nn::Parameter& p : net.namedParameters()) {
    for (const double value : p.tensor.grad().toVector<double>()) bytes += std::to_string(value) + " ";
  }
  return bytes;
}

}  // namespace

TEST_CASE("(P12) an optimiser's step in which an allocation fails changes neither parameters nor slots nor counters") {
  for (const std::string& type : optim::optimizerTypes()) {
    Weights weights, reference;
    const auto optimizer = optim::makeOptimizer(type, weights.namedParameters());
    const auto never = optim::makeOptimizer(type, reference.namedParameters());
    refuseEach(type + ".step", {.call = [&] { optimizer->step(); },
                                .state = [&] { return bytesOf(weights) + bytesOf(*optimizer); },
                                .expected =
                                    [&] {
                                      never->step();
                                      return bytesOf(reference) + bytesOf(*never);
                                    }});
  }
}

TEST_CASE("(P12) an optimiser that cannot be made leaves nothing behind") {
  for (const std::string& type : optim::optimizerTypes()) {
    const Weights weights;
    std::unique_ptr<optim::Optimizer> made;
    refuseEach("making " + type,
               {.prepare = [&] { made.reset(); },
                .call = [&] { made = optim::makeOptimizer(type, weights.namedParameters()); },
                .state = [&] { return made ? bytesOf(*made) : std::string(); },
                .expected = [&] { return bytesOf(*optim::makeOptimizer(type, weights.namedParameters())); }});
  }
}

TEST_CASE("(P12) an average whose update or swap fails is as it was, and so is the net") {
  Weights weights;
  std::unique_ptr<optim::Ema> ema;
  const auto state = [&] {
    std::string bytes = bytesOf(weights) + std::to_string(ema->updates());
    for (const nn::Parameter& average : ema->averages())
      for (const double value : average.tensor.toVector<double>()) bytes += std::to_string(value) + " ";
    return bytes;
  };
  const auto prepare = [&] {  // what the first update takes is kept
    ema = std::make_unique<optim::Ema>(weights, 0.5);
    for (const nn::Parameter& average : ema->averages()) {
      const NoGrad guard;
      Tensor(average.tensor).mul_(2);
    }
  };
  prepare();
  ema->update();
  const std::string updated = state();
  refuseEach("Ema.update",
             {.prepare = prepare, .call = [&] { ema->update(); }, .state = state, .expected = [&] { return updated; }});
  prepare();
  ema->swap();
  const std::string swapped = state();
  ema->swap();
  refuseEach("Ema.swap", {.prepare =
                              [&] {
                                ema.reset();
                                prepare();
                              },
                          .call = [&] { ema->swap(); },
                          .state = state,
                          .expected =
                              [&] {
                                const Outcome back = failing(1, Refuse::AllAfter, [&] { ema->swap(); });
                                CHECK(back.allocations == 0);  // a scope's end takes no memory
                                return swapped;
                              }});
}

TEST_CASE("(P12) clipping that fails leaves every gradient as it was") {
  Weights weights;
  const auto prepare = [&] {
    for (nn::Parameter p : weights.namedParameters())
      p.tensor.setGrad(draw("gradient", p.tensor.shape()).to(DType::F32));
  };
  for (const bool norm : {true, false}) {
    const auto clip = [&] {
      if (norm) {
        (void)optim::clipGradNorm(weights.namedParameters(), 0.1);
      } else {
        optim::clipGradValue(weights.namedParameters(), 0.1);
      }
    };
    prepare();
    clip();
    const std::string clipped = bytesOfGradients(weights);
    refuseEach(norm ? "clipGradNorm" : "clipGradValue", {.prepare = prepare,
                                                         .call = clip,
                                                         .state = [&] { return bytesOfGradients(weights); },
                                                         .expected = [&] { return clipped; }});
  }
}
