#include <ember/optim/SGD.h>

#include <ember/core/Error.h>
#include <ember/core/kernels/SimdRun.h>
#include <ember/optim/OptionFields.h>

namespace ember::optim {
namespace {

constexpr OptionFields<SGDOptions> fields{
    {"momentum", &SGDOptions::momentum}, {"dampening", &SGDOptions::dampening}, {"nesterov", &SGDOptions::nesterov}};

template <class T>
EMBER_INLINE void plain(T* p, const T* grad, i64 n, T lr, T weightDecay) {
  for (i64 i = 0; i < n; ++i) p[i] -= lr * (grad[i] + weightDecay * p[i]);
}

/// p -= lr · (own · g + old · v): own is 1 and old the momentum for Nesterov, else 0 and 1.
template <class T>
EMBER_INLINE void withMomentum(T* p, const T* grad, T* v, i64 n, T lr, T weightDecay, T momentum, T fresh, T own,
                               T old) {
  for (i64 i = 0; i < n; ++i) {
    const T g = grad[i] + weightDecay * p[i];
    v[i] = momentum * v[i] + fresh * g;
    p[i] -= lr * (own * g + old * v[i]);
  }
}

}  // namespace

SGD::SGD(nn::Parameters parameters, SGDOptions options)
    : Optimizer(std::move(parameters), options.lr, options.weightDecay, options.groups,
                options.momentum > 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{}),
      options_(std::move(options)) {
  requireShare("SGD", "momentum", options_.momentum);
  require(options_.dampening >= 0 && options_.dampening <= 1, "SGD", "dampening must be in [0, 1]", options_.dampening);
  if (options_.nesterov && (options_.momentum == 0 || options_.dampening != 0)) {
    throw ValueError("SGD", "nesterov needs a momentum above 0 and a dampening of 0", {},
                     "set .momentum = 0.9, or turn nesterov off");
  }
}

void SGD::update(const Chunk& c) const {
  typed(c, [&](auto chunk) {
    using T = typename decltype(chunk)::Element;
    if (options_.momentum == 0) {
      core::simd::run(
          [=]() EMBER_SIMD_BODY { plain(chunk.value, chunk.gradient, chunk.count, chunk.lr, chunk.weightDecay); });
      return;
    }
    const T momentum = static_cast<T>(options_.momentum);
    const T fresh = c.step == 1 ? T(1) : static_cast<T>(1 - options_.dampening);  // at the first step v = g
    const T own = options_.nesterov ? T(1) : T(0), old = options_.nesterov ? momentum : T(1);
    core::simd::run([=]() EMBER_SIMD_BODY {
      withMomentum(chunk.value, chunk.gradient, chunk.slots[0], chunk.count, chunk.lr, chunk.weightDecay, momentum,
                   fresh, own, old);
    });
  });
}

SGDOptions SGD::optionsOf(const Value& v) { return readOptions(v, fields); }
Value SGD::options() const { return writeOptions(options_, fields); }

}  // namespace ember::optim
