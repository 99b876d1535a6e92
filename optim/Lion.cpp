#include <ember/optim/Lion.h>

#include <cmath>

#include <ember/optim/OptionFields.h>

namespace ember::optim {
namespace {

constexpr OptionFields<LionOptions> fields{{"beta1", &LionOptions::beta1}, {"beta2", &LionOptions::beta2}};

template <class T>
void lion(T* p, const T* grad, T* m, i64 n, T lr, T weightDecay, T beta1, T beta2) {
  for (i64 i = 0; i < n; ++i) {
    const T u = beta1 * m[i] + (T(1) - beta1) * grad[i];
    p[i] -= lr * (static_cast<T>(u > 0) - static_cast<T>(u < 0) + weightDecay * p[i]);
    m[i] = beta2 * m[i] + (T(1) - beta2) * grad[i];
  }
}

}  // namespace

Lion::Lion(nn::Parameters parameters, LionOptions options)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay, options.groups, {"exp_avg"}),
      options_(std::move(options)) {
  requireShare("Lion", "beta1", options_.beta1);
  requireShare("Lion", "beta2", options_.beta2);
}

void Lion::update(const Chunk& c) const {
  typed(c, [&](auto chunk) {
    using T = typename decltype(chunk)::Element;
    lion(chunk.value, chunk.gradient, chunk.slots[0], chunk.count, chunk.lr, chunk.weightDecay,
         static_cast<T>(options_.beta1), static_cast<T>(options_.beta2));
  });
}

LionOptions Lion::optionsOf(const Value& v) { return readOptions(v, fields); }
Value Lion::options() const { return writeOptions(options_, fields); }

}  // namespace ember::optim
