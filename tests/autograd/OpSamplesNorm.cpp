#include <ember/autograd/ops/DropoutVariants.h>
#include <ember/autograd/ops/Embedding.h>
#include <ember/autograd/ops/Normalisation.h>
#include <ember/core/Random.h>

#include "autograd/OpSamples.h"
#include "support/Draw.h"

// Norms without batch statistics, dropouts of channels and samples, embeddings, grouped linear maps.

namespace ember::test {
namespace {

using Function = std::function<Tensor(const Tensors&)>;

/// All but the first `needed` inputs may be undefined.
OpSample sample(std::string name, Tensors inputs, const Function& run, int needed = 1) {
  OpSample result{std::move(name), std::move(inputs), run, {0}};
  for (int i = needed; i < static_cast<int>(result.inputs.size()); ++i) result.optional.push_back(i);
  return result;
}

/// With a mask that is the same in every call, so the op is a fixed map.
OpRow dropouts(Tensor (*op)(const Tensor&, double, bool)) {
  const auto with = [op](double p, bool training) {
    return [=](const Tensors& in) {
      seed(5);
      return op(in[0], p, training);
    };
  };
  return {{sample("training", {draw("training", {4, 5})}, with(0.4, true)),
           sample("pictures", {draw("pictures", {2, 3, 2, 2})}, with(0.5, true)),
           sample("evaluation", {draw("evaluation", {2, 3})}, with(0.5, false))},
          {{Check::Golden,
            "PyTorch draws other masks; tests/nn/DropoutVariantsTest holds what is dropped, mean and variance"}}};
}

}  // namespace

void addNormSamples(OpRows& rows) {
  const Tensor x = draw("norm", {3, 4}), pictures = draw("normed pictures", {2, 4, 2, 2});
  const Tensor w = draw("weight", {4}), b = draw("bias", {4});
  rows["layerNorm"] = {
      {sample("the last axis", {x, w, b}, [](const Tensors& in) { return layerNorm(in[0], {4}, in[1], in[2]); }),
       sample("pictures", {pictures},
              [](const Tensors& in) {
                return layerNorm(in[0], {4, 2, 2}, {}, {}, 0.1);
              }),
       sample("weight alone", {pictures, draw("square", {2, 2})}, [](const Tensors& in) {
         return layerNorm(in[0], {2, 2}, in[1]);
       })}};
  rows["rmsNorm"] = {{sample("the last axis", {x, w}, [](const Tensors& in) { return rmsNorm(in[0], {4}, in[1]); }),
                      sample("pictures", {pictures}, [](const Tensors& in) {
                        return rmsNorm(in[0], {4, 2, 2}, {}, 0.1);
                      })}};
  rows["groupNorm"] = {
      {sample("pictures", {pictures, w, b}, [](const Tensors& in) { return groupNorm(in[0], 2, in[1], in[2]); }),
       sample("a matrix", {x}, [](const Tensors& in) { return groupNorm(in[0], 2); })}};
  rows["instanceNorm"] = {
      {sample("pictures", {pictures, w, b}, [](const Tensors& in) { return instanceNorm(in[0], in[1], in[2]); }),
       sample("lines", {draw("lines", {2, 2, 3})}, [](const Tensors& in) { return instanceNorm(in[0]); })}};
  rows["localResponseNorm"] = {
      {sample("pictures", {pictures}, [](const Tensors& in) { return localResponseNorm(in[0], 3, 0.3, 0.6, 1.5); }),
       sample("an even size", {draw("lines", {2, 4, 2})},
              [](const Tensors& in) { return localResponseNorm(in[0], 2, 0.3, 0.6, 1.5); })}};
  rows["normalize"] = {{sample("rows", {x}, [](const Tensors& in) { return normalize(in[0]); }),
                        sample("the last axis", {pictures}, [](const Tensors& in) { return normalize(in[0], -1); })}};

  rows["featureDropout"] = dropouts(featureDropout);
  rows["alphaDropout"] = dropouts(alphaDropout);
  rows["featureAlphaDropout"] = dropouts(featureAlphaDropout);
  rows["dropPath"] = dropouts(dropPath);

  const Tensor table = draw("table", {5, 3});
  // Without padding, whose row takes no gradient by definition, not by calculus.
  const auto look = [](const Tensors& in) { return embedding(in[0], in[1]); };
  rows["embedding"] = {{sample("a list", {integers("list", {6}, 5), table}, look, 2),
                        sample("three axes", {integers("cube", {2, 2, 3}, 5), table}, look, 2)}};
  const Tensor groups = draw("groups", {2, 3, 2});
  rows["groupedLinear"] = {{sample(
                                "bias", {x, groups, draw("bias", {6})},
                                [](const Tensors& in) { return groupedLinear(in[0], in[1], in[2]); }, 2),
                            sample(
                                "sequences", {draw("sequences", {2, 3, 4}), groups},
                                [](const Tensors& in) { return groupedLinear(in[0], in[1]); }, 2)}};
}

}  // namespace ember::test
