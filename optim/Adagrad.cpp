#include <ember/optim/Adagrad.h>

#include <cmath>

#include <ember/optim/OptionFields.h>

namespace ember::optim {
namespace {

constexpr OptionFields<AdagradOptions> fields{{"lrDecay", &AdagradOptions::lrDecay},
                                              {"initialAccumulator", &AdagradOptions::initialAccumulator},
                                              {"epsilon", &AdagradOptions::epsilon}};

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

AdagradOptions Adagrad::optionsOf(const Value& v) { return readOptions(v, fields); }
Value Adagrad::options() const { return writeOptions(options_, fields); }

}  // namespace ember::optim
