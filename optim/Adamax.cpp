#include <ember/optim/Adamax.h>

#include <algorithm>
#include <cmath>

namespace ember::optim {
namespace {

template <class T>
void adamax(T* p, const T* grad, T* m, T* u, i64 n, T rate, T weightDecay, T beta1, T beta2, T epsilon) {
  for (i64 i = 0; i < n; ++i) {
    const T g = grad[i] + weightDecay * p[i];
    m[i] = beta1 * m[i] + (T(1) - beta1) * g;
    u[i] = std::max(beta2 * u[i], std::abs(g) + epsilon);
    p[i] -= rate * m[i] / u[i];
  }
}

}  // namespace

Adamax::Adamax(nn::Parameters parameters, AdamaxOptions options)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay, options.groups, {"exp_avg", "exp_inf"}),
      options_(std::move(options)) {
  requireShare("Adamax", "beta1", options_.beta1);
  requireShare("Adamax", "beta2", options_.beta2);
  requirePositive("Adamax", "epsilon", options_.epsilon);
}

void Adamax::update(const Chunk& c) const {
  typed(c, [&](auto chunk) {
    using T = typename decltype(chunk)::Element;
    const double rate = c.lr / (1 - std::pow(options_.beta1, static_cast<double>(c.step)));
    adamax(chunk.value, chunk.gradient, chunk.slots[0], chunk.slots[1], chunk.count, static_cast<T>(rate),
           chunk.weightDecay, static_cast<T>(options_.beta1), static_cast<T>(options_.beta2),
           static_cast<T>(options_.epsilon));
  });
}

AdamaxOptions Adamax::optionsOf(const Value& v) {
  const AdamaxOptions defaults;
  return {.lr = v.get("lr", defaults.lr),
          .beta1 = v.get("beta1", defaults.beta1),
          .beta2 = v.get("beta2", defaults.beta2),
          .epsilon = v.get("epsilon", defaults.epsilon),
          .weightDecay = v.get("weightDecay", defaults.weightDecay)};
}

Value Adamax::options() const {
  Value value = Value::object();
  value.set("beta1", options_.beta1);
  value.set("beta2", options_.beta2);
  value.set("epsilon", options_.epsilon);
  return value;
}

}  // namespace ember::optim
