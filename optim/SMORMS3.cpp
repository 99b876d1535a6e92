#include <ember/optim/SMORMS3.h>

#include <algorithm>
#include <cmath>

namespace ember::optim {
namespace {

template <class T>
void smorms3(T* p, const T* grad, T* memory, T* mean, T* square, i64 n, T lr, T weightDecay, T start, T epsilon) {
  for (i64 i = 0; i < n; ++i) {
    const T g = grad[i] + weightDecay * p[i], k = memory[i] + start, r = T(1) / (k + T(1));
    mean[i] = (T(1) - r) * mean[i] + r * g;
    square[i] = (T(1) - r) * square[i] + r * g * g;
    const T x = mean[i] * mean[i] / (square[i] + epsilon);
    memory[i] = T(1) + k * (T(1) - x);
    p[i] -= g * std::min(lr, x) / (std::sqrt(square[i]) + epsilon);
  }
}

}  // namespace

SMORMS3::SMORMS3(nn::Parameters parameters, SMORMS3Options options)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay, options.groups, {"mem", "g", "g2"}),
      options_(std::move(options)) {
  requirePositive("SMORMS3", "epsilon", options_.epsilon);
}

void SMORMS3::update(const Chunk& c) const {
  typed(c, [&](auto chunk) {
    using T = typename decltype(chunk)::Element;
    const T start = c.step == 1 ? T(1) : T(0);  // slots are made as zeros
    smorms3(chunk.value, chunk.gradient, chunk.slots[0], chunk.slots[1], chunk.slots[2], chunk.count, chunk.lr,
            chunk.weightDecay, start, static_cast<T>(options_.epsilon));
  });
}

SMORMS3Options SMORMS3::optionsOf(const Value& v) {
  const SMORMS3Options defaults;
  return {.lr = v.get("lr", defaults.lr),
          .epsilon = v.get("epsilon", defaults.epsilon),
          .weightDecay = v.get("weightDecay", defaults.weightDecay)};
}

Value SMORMS3::options() const {
  Value value = Value::object();
  value.set("epsilon", options_.epsilon);
  return value;
}

}  // namespace ember::optim
