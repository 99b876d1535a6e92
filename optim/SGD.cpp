#include <ember/optim/SGD.h>

#include <ember/core/Error.h>
#include <ember/core/Simd.h>

namespace ember::optim {
namespace {

template <class T> struct Rates {
  T lr, weightDecay, momentum, dampening;
};

template <class T> inline void plain(T* p, const T* grad, i64 n, Rates<T> r) {
  for (i64 i = 0; i < n; ++i) p[i] -= r.lr * (grad[i] + r.weightDecay * p[i]);
}

template <class T> inline void withMomentum(T* p, const T* grad, T* v, i64 n, Rates<T> r, bool nesterov) {
  const T own = nesterov ? T(1) : T(0), old = nesterov ? r.momentum : T(1);
  for (i64 i = 0; i < n; ++i) {
    const T g = grad[i] + r.weightDecay * p[i];
    v[i] = r.momentum * v[i] + r.dampening * g;
    p[i] -= r.lr * (own * g + old * v[i]);
  }
}

EMBER_SIMD void plainF32(float* p, const float* g, i64 n, Rates<float> r) { plain(p, g, n, r); }
EMBER_SIMD void plainF64(double* p, const double* g, i64 n, Rates<double> r) { plain(p, g, n, r); }
EMBER_SIMD void momentumF32(float* p, const float* g, float* v, i64 n, Rates<float> r, bool nesterov) {
  withMomentum(p, g, v, n, r, nesterov);
}
EMBER_SIMD void momentumF64(double* p, const double* g, double* v, i64 n, Rates<double> r, bool nesterov) {
  withMomentum(p, g, v, n, r, nesterov);
}

}  // namespace

SGD::SGD(nn::Parameters parameters, SGDOptions options)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay, options.groups,
                options.momentum > 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{}),
      options_(std::move(options)) {
  require(options_.momentum >= 0 && options_.momentum < 1, "SGD", "momentum must be in [0, 1)", options_.momentum);
  require(options_.dampening >= 0 && options_.dampening <= 1, "SGD", "dampening must be in [0, 1]", options_.dampening);
  if (options_.nesterov && (options_.momentum == 0 || options_.dampening != 0)) {
    throw ValueError("SGD", "nesterov needs a momentum above 0 and a dampening of 0", {},
                     "set .momentum = 0.9, or turn nesterov off");
  }
}

void SGD::update(const Chunk& c, float) const {
  // At the first step v = g without dampening.
  const Rates<float> r{static_cast<float>(c.lr), static_cast<float>(c.weightDecay),
                       static_cast<float>(options_.momentum),
                       c.step == 1 ? 1.0f : static_cast<float>(1 - options_.dampening)};
  auto* p = static_cast<float*>(c.value);
  const auto* g = static_cast<const float*>(c.gradient);
  if (options_.momentum > 0) {
    momentumF32(p, g, static_cast<float*>(c.slots[0]), c.count, r, options_.nesterov);
  } else {
    plainF32(p, g, c.count, r);
  }
}

void SGD::update(const Chunk& c, double) const {
  const Rates<double> r{c.lr, c.weightDecay, options_.momentum, c.step == 1 ? 1.0 : 1 - options_.dampening};
  auto* p = static_cast<double*>(c.value);
  const auto* g = static_cast<const double*>(c.gradient);
  if (options_.momentum > 0) {
    momentumF64(p, g, static_cast<double*>(c.slots[0]), c.count, r, options_.nesterov);
  } else {
    plainF64(p, g, c.count, r);
  }
}

SGDOptions SGD::optionsOf(const Value& v) {
  const SGDOptions defaults;
  return {.lr = v.get("lr", defaults.lr),
          .momentum = v.get("momentum", defaults.momentum),
          .dampening = v.get("dampening", defaults.dampening),
          .weightDecay = v.get("weightDecay", defaults.weightDecay),
          .nesterov = v.get("nesterov", defaults.nesterov)};
}

Value SGD::options() const {
  Value value = Value::object();
  value.set("momentum", options_.momentum);
  value.set("dampening", options_.dampening);
  value.set("nesterov", options_.nesterov);
  return value;
}

}  // namespace ember::optim
