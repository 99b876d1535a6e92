#include <ember/optim/SMORMS3.h>

#include <algorithm>
#include <cmath>

#include <ember/optim/OptionFields.h>

namespace ember::optim {
namespace {

constexpr OptionFields<SMORMS3Options> fields{{"epsilon", &SMORMS3Options::epsilon}};

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

SMORMS3Options SMORMS3::optionsOf(const Value& v) { return readOptions(v, fields); }
Value SMORMS3::options() const { return writeOptions(options_, fields); }

}  // namespace ember::optim
