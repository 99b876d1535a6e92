// Activations against the numbers that PyTorch gives (tests/golden/generate_activations.py); those of
// GoldenTest.cpp are not repeated.
#include <doctest/doctest.h>
#include <ember/autograd/ops/Ops.h>

#include "autograd/GoldenCalls.h"

using namespace ember;
using namespace ember::test;

namespace {

/// A function of x and of numbers that stand in the options under these names.
template <class F, class... Name>
Call numbers(F f, Name... names) {
  return [=](const Tensors& in, const Json& o) { return Tensors{f(in[0], o.at(names).template get<double>()...)}; };
}

const Calls calls = {
    {"relu6", one(relu6)},
    {"hardsigmoid", one(hardsigmoid)},
    {"hardswish", one(hardswish)},
    {"hardtanh", numbers(hardtanh, "min", "max")},
    {"softshrink", numbers(softshrink, "lambda")},
    {"hardshrink", numbers(hardshrink, "lambda")},
    {"threshold", numbers(ember::threshold, "threshold", "value")},
    {"selu", one(selu)},
    {"mish", one(mish)},
    {"softsign", one(softsign)},
    {"logSigmoid", one(logSigmoid)},
    {"tanhshrink", one(tanhshrink)},
    {"elu", numbers(elu, "alpha")},
    {"celu", numbers(celu, "alpha")},
    {"softplusScaled",
     numbers([](const Tensor& x, double beta, double threshold) { return softplus(x, beta, threshold); }, "beta",
             "threshold")},
    {"prelu", two(prelu)},
    {"glu", onAxis(glu)},
};

}  // namespace

TEST_CASE("activations of three pieces agree with PyTorch") { checkFamily("piecewise", calls); }
TEST_CASE("smooth, learned and gated activations agree with PyTorch") { checkFamily("smooth", calls); }
