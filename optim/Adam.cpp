#include <ember/optim/Adam.h>

#include <algorithm>
#include <cmath>

#include <ember/core/kernels/SimdRun.h>
#include <ember/optim/OptionFields.h>

namespace ember::optim {
namespace {

constexpr OptionFields<AdamOptions> fields{{"beta1", &AdamOptions::beta1},
                                           {"beta2", &AdamOptions::beta2},
                                           {"epsilon", &AdamOptions::epsilon},
                                           {"amsgrad", &AdamOptions::amsgrad}};

template <class T>
struct Rates {
  T shrink, weightDecay, beta1, beta2, stepSize, rootCorrection, epsilon;
};

template <class T>
EMBER_INLINE void adam(T* p, const T* grad, T* m, T* v, i64 n, Rates<T> r) {
  for (i64 i = 0; i < n; ++i) {
    const T value = p[i] * r.shrink;
    const T g = grad[i] + r.weightDecay * p[i];
    m[i] = r.beta1 * m[i] + (T(1) - r.beta1) * g;
    v[i] = r.beta2 * v[i] + (T(1) - r.beta2) * g * g;
    p[i] = value - r.stepSize * m[i] / (std::sqrt(v[i]) * r.rootCorrection + r.epsilon);
  }
}

template <class T>
void amsgrad(T* p, const T* grad, T* m, T* v, T* largest, i64 n, Rates<T> r) {
  for (i64 i = 0; i < n; ++i) {
    const T value = p[i] * r.shrink;
    const T g = grad[i] + r.weightDecay * p[i];
    m[i] = r.beta1 * m[i] + (T(1) - r.beta1) * g;
    v[i] = r.beta2 * v[i] + (T(1) - r.beta2) * g * g;
    largest[i] = std::max(largest[i], v[i]);
    p[i] = value - r.stepSize * m[i] / (std::sqrt(largest[i]) * r.rootCorrection + r.epsilon);
  }
}

std::vector<std::string> slotNames(const AdamOptions& o) {
  std::vector<std::string> names{"exp_avg", "exp_avg_sq"};
  if (o.amsgrad) names.push_back("max_exp_avg_sq");
  return names;
}

// The bias corrections are worked out in f64 once a chunk.
template <class T>
Rates<T> ratesOf(const AdamOptions& o, bool decoupled, double lr, double weightDecay, i64 step) {
  const double t = static_cast<double>(step);
  const auto as = [](double x) { return static_cast<T>(x); };
  return {decoupled ? as(1 - lr * weightDecay) : T(1),
          decoupled ? T(0) : as(weightDecay),
          as(o.beta1),
          as(o.beta2),
          as(lr / (1 - std::pow(o.beta1, t))),
          as(1 / std::sqrt(1 - std::pow(o.beta2, t))),
          as(o.epsilon)};
}

}  // namespace

Adam::Adam(nn::Parameters parameters, AdamOptions options, bool decoupled)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay.value_or(decoupled ? 0.01 : 0), options.groups,
                slotNames(options)),
      options_(std::move(options)),
      decoupled_(decoupled) {
  requireShare("Adam", "beta1", options_.beta1);
  requireShare("Adam", "beta2", options_.beta2);
  requirePositive("Adam", "epsilon", options_.epsilon);
}

void Adam::update(const Chunk& c) const {
  typed(c, [&](auto chunk) {
    const auto rates = ratesOf<typename decltype(chunk)::Element>(options_, decoupled_, c.lr, c.weightDecay, c.step);
    if (options_.amsgrad) {
      amsgrad(chunk.value, chunk.gradient, chunk.slots[0], chunk.slots[1], chunk.slots[2], chunk.count, rates);
      return;
    }
    core::simd::run([=]() EMBER_SIMD_BODY {
      adam(chunk.value, chunk.gradient, chunk.slots[0], chunk.slots[1], chunk.count, rates);
    });
  });
}

AdamOptions Adam::optionsOf(const Value& v) { return readOptions(v, fields); }
Value Adam::options() const { return writeOptions(options_, fields); }

}  // namespace ember::optim
