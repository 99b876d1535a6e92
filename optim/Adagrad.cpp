#include <ember/optim/Adagrad.h>

#include <cmath>

namespace ember::optim {
namespace {

template <class T>
void adagrad(T* p, const T* grad, T* sum, i64 n, T lr, T weightDecay, T start, T epsilon) {
  for (i64 i = 0; i < n; ++i) {
    const T g = grad[i] + weightDecay * p[i];
    sum[i] = sum[i] + start + g * g;
    p[i] -= lr * g / (std::sqrt(sum[i]) + epsilon);
  }
}

}  // namespace

Adagrad::Adagrad(nn::Parameters parameters, AdagradOptions options)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay, options.groups, {"sum"}),
      options_(std::move(options)) {
  require(options_.lrDecay >= 0 && std::isfinite(options_.lrDecay), "Adagrad", "lrDecay must be 0 or more",
          options_.lrDecay);
  require(options_.initialAccumulator >= 0 && std::isfinite(options_.initialAccumulator), "Adagrad",
          "initialAccumulator must be 0 or more", options_.initialAccumulator);
  requirePositive("Adagrad", "epsilon", options_.epsilon);
}

void Adagrad::update(const Chunk& c) const {
  typed(c, [&](auto chunk) {
    using T = typename decltype(chunk)::Element;
    const double rate = c.lr / (1 + static_cast<double>(c.step - 1) * options_.lrDecay);
    const double start = c.step == 1 ? options_.initialAccumulator : 0;  // slots are made as zeros
    adagrad(chunk.value, chunk.gradient, chunk.slots[0], chunk.count, static_cast<T>(rate), chunk.weightDecay,
            static_cast<T>(start), static_cast<T>(options_.epsilon));
  });
}

AdagradOptions Adagrad::optionsOf(const Value& v) {
  const AdagradOptions defaults;
  return {.lr = v.get("lr", defaults.lr),
          .lrDecay = v.get("lrDecay", defaults.lrDecay),
          .initialAccumulator = v.get("initialAccumulator", defaults.initialAccumulator),
          .epsilon = v.get("epsilon", defaults.epsilon),
          .weightDecay = v.get("weightDecay", defaults.weightDecay)};
}

Value Adagrad::options() const {
  Value value = Value::object();
  value.set("lrDecay", options_.lrDecay);
  value.set("initialAccumulator", options_.initialAccumulator);
  value.set("epsilon", options_.epsilon);
  return value;
}

}  // namespace ember::optim
