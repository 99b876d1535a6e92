#include <ember/optim/Adadelta.h>

#include <cmath>

#include <ember/optim/OptionFields.h>

namespace ember::optim {
namespace {

constexpr OptionFields<AdadeltaOptions> fields{{"rho", &AdadeltaOptions::rho}, {"epsilon", &AdadeltaOptions::epsilon}};

template <class T>
void adadelta(T* p, const T* grad, T* square, T* moved, i64 n, T lr, T weightDecay, T rho, T epsilon) {
  for (i64 i = 0; i < n; ++i) {
    const T g = grad[i] + weightDecay * p[i];
    square[i] = rho * square[i] + (T(1) - rho) * g * g;
    const T d = std::sqrt(moved[i] + epsilon) / std::sqrt(square[i] + epsilon) * g;
    moved[i] = rho * moved[i] + (T(1) - rho) * d * d;
    p[i] -= lr * d;
  }
}

}  // namespace

Adadelta::Adadelta(nn::Parameters parameters, AdadeltaOptions options)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay, options.groups, {"square_avg", "acc_delta"}),
      options_(std::move(options)) {
  requireShare("Adadelta", "rho", options_.rho);
  requirePositive("Adadelta", "epsilon", options_.epsilon);
}

void Adadelta::update(const Chunk& c) const {
  typed(c, [&](auto chunk) {
    using T = typename decltype(chunk)::Element;
    adadelta(chunk.value, chunk.gradient, chunk.slots[0], chunk.slots[1], chunk.count, chunk.lr, chunk.weightDecay,
             static_cast<T>(options_.rho), static_cast<T>(options_.epsilon));
  });
}

AdadeltaOptions Adadelta::optionsOf(const Value& v) { return readOptions(v, fields); }
Value Adadelta::options() const { return writeOptions(options_, fields); }

}  // namespace ember::optim
