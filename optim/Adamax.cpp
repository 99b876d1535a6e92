#include <ember/optim/Adamax.h>

#include <algorithm>
#include <cmath>

#include <ember/optim/OptionFields.h>

namespace ember::optim {
namespace {

constexpr OptionFields<AdamaxOptions> fields{
    {"beta1", &AdamaxOptions::beta1}, {"beta2", &AdamaxOptions::beta2}, {"epsilon", &AdamaxOptions::epsilon}};

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

AdamaxOptions Adamax::optionsOf(const Value& v) { return readOptions(v, fields); }
Value Adamax::options() const { return writeOptions(options_, fields); }

}  // namespace ember::optim
