#include <ember/optim/RMSProp.h>

#include <algorithm>
#include <cmath>

#include <ember/optim/OptionFields.h>

namespace ember::optim {
namespace {

constexpr OptionFields<RMSPropOptions> fields{{"alpha", &RMSPropOptions::alpha},
                                              {"epsilon", &RMSPropOptions::epsilon},
                                              {"momentum", &RMSPropOptions::momentum},
                                              {"centered", &RMSPropOptions::centered},
                                              {"epsilonInside", &RMSPropOptions::epsilonInside}};

// Slots in order: square_avg, then momentum_buffer if there is momentum, then grad_avg if centered.
template <class T>
void rmsProp(T* p, const T* grad, T* square, T* buffer, T* average, i64 n, T lr, T weightDecay,
             const RMSPropOptions& o) {
  const T alpha = static_cast<T>(o.alpha), epsilon = static_cast<T>(o.epsilon), momentum = static_cast<T>(o.momentum);
  for (i64 i = 0; i < n; ++i) {
    const T g = grad[i] + weightDecay * p[i];
    square[i] = alpha * square[i] + (T(1) - alpha) * g * g;
    T variance = square[i];
    if (average) {
      average[i] = alpha * average[i] + (T(1) - alpha) * g;
      variance = std::max(variance - average[i] * average[i], T(0));  // rounding may carry it below
    }
    T d = g / (o.epsilonInside ? std::sqrt(variance + epsilon) : std::sqrt(variance) + epsilon);
    if (buffer) d = buffer[i] = momentum * buffer[i] + d;
    p[i] -= lr * d;
  }
}

std::vector<std::string> slotNames(const RMSPropOptions& o) {
  std::vector<std::string> names{"square_avg"};
  if (o.momentum > 0) names.push_back("momentum_buffer");
  if (o.centered) names.push_back("grad_avg");
  return names;
}

}  // namespace

RMSProp::RMSProp(nn::Parameters parameters, RMSPropOptions options)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay, options.groups, slotNames(options)),
      options_(std::move(options)) {
  requireShare("RMSProp", "alpha", options_.alpha);
  requirePositive("RMSProp", "epsilon", options_.epsilon);
  requireShare("RMSProp", "momentum", options_.momentum);
}

void RMSProp::update(const Chunk& c) const {
  typed(c, [&](auto chunk) {
    const bool hasMomentum = options_.momentum > 0;
    rmsProp(chunk.value, chunk.gradient, chunk.slots[0], hasMomentum ? chunk.slots[1] : nullptr,
            options_.centered ? chunk.slots[hasMomentum ? 2 : 1] : nullptr, chunk.count, chunk.lr, chunk.weightDecay,
            options_);
  });
}

RMSPropOptions RMSProp::optionsOf(const Value& v) { return readOptions(v, fields); }
Value RMSProp::options() const { return writeOptions(options_, fields); }

}  // namespace ember::optim
