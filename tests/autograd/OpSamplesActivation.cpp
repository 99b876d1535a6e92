#include <ember/autograd/ops/Activation.h>
#include <ember/autograd/ops/Piecewise.h>
#include <ember/autograd/ops/Smooth.h>

#include "autograd/OpSamples.h"
#include "support/Draw.h"

// Activations: of three pieces, smooth, learned and gated.

namespace ember::test {
namespace {

using Function = std::function<Tensor(const Tensor&)>;

OpSample sample(std::string name, const Tensor& x, const Function& op) {
  return {std::move(name), {x}, [op](const Tensors& in) { return op(in[0]); }, {0}};
}

/// On numbers `gap` apart that keep off the multiples of gap/2, where the pieces meet.
OpRow pieces(const Function& op, double gap = 0.1) {
  return {{sample("a matrix", distinct("matrix", {3, 4}, gap), op),
           sample("pictures", distinct("pictures", {2, 3, 2, 2}, gap), op)}};
}

OpRow smoothly(const Function& op) { return pieces(op, 0.3); }

}  // namespace

void addActivationSamples(OpRows& rows) {
  rows["relu6"] = pieces([](const Tensor& x) { return relu6(x); }, 1);
  rows["hardsigmoid"] = pieces(hardsigmoid, 0.5);
  rows["hardswish"] = pieces(hardswish, 0.5);
  rows["hardtanh"] = pieces([](const Tensor& x) { return hardtanh(x, -0.3, 0.5); });
  rows["softshrink"] = pieces([](const Tensor& x) { return softshrink(x, 0.3); });
  rows["hardshrink"] = pieces([](const Tensor& x) { return hardshrink(x, 0.3); });
  rows["threshold"] = pieces([](const Tensor& x) { return threshold(x, 0.3, -2); });

  rows["selu"] = smoothly(selu);
  rows["mish"] = smoothly(mish);
  rows["softsign"] = smoothly(softsign);
  rows["logSigmoid"] = smoothly(logSigmoid);
  rows["tanhshrink"] = smoothly(tanhshrink);
  rows["elu"] = smoothly([](const Tensor& x) { return elu(x, 0.7); });
  rows["celu"] = smoothly([](const Tensor& x) { return celu(x, 1.5); });
  const auto soft = [](const Tensor& x) { return softplus(x, 2, 1.5); };
  rows["softplus"].samples.push_back(sample("scaled, with a threshold", distinct("softplus", {3, 4}, 0.3), soft));

  const auto learned = [](const Tensors& in) { return prelu(in[0], in[1]); };
  const Tensor one = draw("slope", {1}), three = draw("slopes", {3});
  rows["prelu"] = {{{"one slope", {distinct("matrix", {2, 4}), one}, learned, {0}},
                    {"a slope a channel", {distinct("matrix", {2, 3}), three}, learned, {0}},
                    {"pictures", {distinct("pictures", {2, 3, 2, 2}), three}, learned, {0}},
                    {"a number", {distinct("number", {}), one}, learned}}};
  rows["glu"] = {{sample("the last axis", draw("glu", {3, 4}), [](const Tensor& x) { return glu(x); }),
                  sample("channels", draw("glu", {2, 4, 2, 1}), [](const Tensor& x) { return glu(x, 1); })}};
}

}  // namespace ember::test
