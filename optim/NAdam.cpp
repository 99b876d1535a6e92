#include <ember/optim/NAdam.h>

#include <cmath>

#include <ember/optim/OptionFields.h>

namespace ember::optim {
namespace {

constexpr OptionFields<NAdamOptions> fields{{"beta1", &NAdamOptions::beta1},
                                            {"beta2", &NAdamOptions::beta2},
                                            {"epsilon", &NAdamOptions::epsilon},
                                            {"momentumDecay", &NAdamOptions::momentumDecay}};

template <class T>
struct Rates {
  T own, mean;  // of the gradient and of its average
  T weightDecay, beta1, beta2, rootCorrection, epsilon;
};

template <class T>
void nadam(T* p, const T* grad, T* m, T* v, i64 n, Rates<T> r) {
  for (i64 i = 0; i < n; ++i) {
    const T g = grad[i] + r.weightDecay * p[i];
    m[i] = r.beta1 * m[i] + (T(1) - r.beta1) * g;
    v[i] = r.beta2 * v[i] + (T(1) - r.beta2) * g * g;
    p[i] -= (r.own * g + r.mean * m[i]) / (std::sqrt(v[i]) * r.rootCorrection + r.epsilon);
  }
}

constexpr double base = 0.96;

double momentumAt(const NAdamOptions& o, double t) { return o.beta1 * (1 - 0.5 * std::pow(base, t * o.momentumDecay)); }

// M_t = beta1^t · prod_(i<=t) (1 - q^i/2) with q = 0.96^momentumDecay, as a function of t alone, so that nothing beside
// the step count has to be kept:
//   log prod = -sum_k 2^-k/k · sum_(i<=t) q^(ik),   and the inner sum is q^k·(1 - q^(kt))/(1 - q^k)
double momentumProduct(const NAdamOptions& o, double t) {
  const double rate = -o.momentumDecay * std::log(base);
  double sum = 0, half = 1;
  for (int k = 1; k <= 60; ++k) {
    half /= 2;
    const double inner = rate == 0 ? t : std::exp(-k * rate) * std::expm1(-k * rate * t) / std::expm1(-k * rate);
    sum += half / k * inner;
  }
  return std::pow(o.beta1, t) * std::exp(-sum);
}

}  // namespace

NAdam::NAdam(nn::Parameters parameters, NAdamOptions options)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay, options.groups, {"exp_avg", "exp_avg_sq"}),
      options_(std::move(options)) {
  requireShare("NAdam", "beta1", options_.beta1);
  requireShare("NAdam", "beta2", options_.beta2);
  requirePositive("NAdam", "epsilon", options_.epsilon);
  require(options_.momentumDecay >= 0 && std::isfinite(options_.momentumDecay), "NAdam",
          "momentumDecay must be 0 or more", options_.momentumDecay);
}

double NAdam::stepValue(i64 step) const { return momentumProduct(options_, static_cast<double>(step)); }

void NAdam::update(const Chunk& c) const {
  typed(c, [&](auto chunk) {
    using T = typename decltype(chunk)::Element;
    const double t = static_cast<double>(c.step), next = momentumAt(options_, t + 1);
    const auto as = [](double x) { return static_cast<T>(x); };
    nadam(chunk.value, chunk.gradient, chunk.slots[0], chunk.slots[1], chunk.count,
          Rates<T>{as(c.lr * (1 - momentumAt(options_, t)) / (1 - c.stepValue)),
                   as(c.lr * next / (1 - c.stepValue * next)), chunk.weightDecay, as(options_.beta1),
                   as(options_.beta2), as(1 / std::sqrt(1 - std::pow(options_.beta2, t))), as(options_.epsilon)});
  });
}

NAdamOptions NAdam::optionsOf(const Value& v) { return readOptions(v, fields); }
Value NAdam::options() const { return writeOptions(options_, fields); }

}  // namespace ember::optim
