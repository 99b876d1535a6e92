#include <ember/optim/RAdam.h>

#include <cmath>

#include <ember/optim/OptionFields.h>

namespace ember::optim {
namespace {

constexpr OptionFields<RAdamOptions> fields{
    {"beta1", &RAdamOptions::beta1}, {"beta2", &RAdamOptions::beta2}, {"epsilon", &RAdamOptions::epsilon}};

// `rectified` is 0 for steps of momentum alone.
template <class T>
void radam(T* p, const T* grad, T* m, T* v, i64 n, T rate, T rectified, T weightDecay, T beta1, T beta2, T epsilon) {
  for (i64 i = 0; i < n; ++i) {
    const T g = grad[i] + weightDecay * p[i];
    m[i] = beta1 * m[i] + (T(1) - beta1) * g;
    v[i] = beta2 * v[i] + (T(1) - beta2) * g * g;
    p[i] -= rate * m[i] * (rectified > 0 ? rectified / (std::sqrt(v[i]) + epsilon) : T(1));
  }
}

}  // namespace

RAdam::RAdam(nn::Parameters parameters, RAdamOptions options)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay, options.groups, {"exp_avg", "exp_avg_sq"}),
      options_(std::move(options)) {
  requireShare("RAdam", "beta1", options_.beta1);
  requireShare("RAdam", "beta2", options_.beta2);
  requirePositive("RAdam", "epsilon", options_.epsilon);
}

void RAdam::update(const Chunk& c) const {
  typed(c, [&](auto chunk) {
    using T = typename decltype(chunk)::Element;
    const double t = static_cast<double>(c.step), power = std::pow(options_.beta2, t);
    const double limit = 2 / (1 - options_.beta2) - 1, length = limit - 2 * t * power / (1 - power);
    const double rectified =
        length > 5 ? std::sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length) * (1 - power))
                   : 0;
    const double rate = c.lr / (1 - std::pow(options_.beta1, t));
    radam(chunk.value, chunk.gradient, chunk.slots[0], chunk.slots[1], chunk.count, static_cast<T>(rate),
          static_cast<T>(rectified), chunk.weightDecay, static_cast<T>(options_.beta1), static_cast<T>(options_.beta2),
          static_cast<T>(options_.epsilon));
  });
}

RAdamOptions RAdam::optionsOf(const Value& v) { return readOptions(v, fields); }
Value RAdam::options() const { return writeOptions(options_, fields); }

}  // namespace ember::optim
