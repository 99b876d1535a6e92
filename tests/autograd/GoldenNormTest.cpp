// Norms, embeddings and grouped linear maps against the numbers that PyTorch gives (tests/golden/generate_norms.py).
#include <doctest/doctest.h>
#include <ember/autograd/ops/Embedding.h>
#include <ember/autograd/ops/Normalisation.h>

#include "autograd/GoldenCalls.h"

using namespace ember;
using namespace ember::test;

namespace {

Tensor given(const Tensors& in, std::size_t i) { return i < in.size() ? in[i] : Tensor(); }
double epsilon(const Json& o) { return o.at("epsilon").get<double>(); }

const Calls calls = {
    {"layerNorm",
     [](const Tensors& in, const Json& o) {
       return Tensors{layerNorm(in[0], shapeOf(o.at("normalized")), given(in, 1), given(in, 2), epsilon(o))};
     }},
    {"rmsNorm",
     [](const Tensors& in, const Json& o) {
       return Tensors{rmsNorm(in[0], shapeOf(o.at("normalized")), given(in, 1), epsilon(o))};
     }},
    {"groupNorm",
     [](const Tensors& in, const Json& o) {
       return Tensors{groupNorm(in[0], o.at("groups").get<i64>(), given(in, 1), given(in, 2), epsilon(o))};
     }},
    {"instanceNorm",
     [](const Tensors& in, const Json& o) {
       return Tensors{instanceNorm(in[0], given(in, 1), given(in, 2), epsilon(o))};
     }},
    {"localResponseNorm",
     [](const Tensors& in, const Json& o) {
       return Tensors{localResponseNorm(in[0], o.at("size").get<i64>(), o.at("alpha").get<double>(),
                                        o.at("beta").get<double>(), o.at("k").get<double>())};
     }},
    {"normalize", onAxis([](const Tensor& x, int axis) { return normalize(x, axis); })},
    {"embedding",
     [](const Tensors& in, const Json& o) {
       std::optional<i64> padding;
       if (o.contains("padding")) padding = o.at("padding").get<i64>();
       return Tensors{embedding(in[0], in[1], padding)};
     }},
    {"groupedLinear",
     [](const Tensors& in, const Json&) { return Tensors{groupedLinear(in[0], in[1], given(in, 2))}; }},
};

}  // namespace

TEST_CASE("norms, embeddings and grouped linear maps agree with PyTorch") { checkFamily("norms", calls); }
