#include <ember/core/kernels/reference/BatchNorm.h>

#include <array>
#include <cstddef>
#include <type_traits>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNormRows.h>
#include <ember/core/kernels/Convert.h>
#include <ember/core/kernels/Strided.h>

namespace ember::core::reference {
namespace {

using Kind = FusedAct::Kind;

/// Calls f(offsets) for every element of a channel in logical order; offsets[k] is its place in arrays[k].
template <std::size_t K, class F>
void forElements(const std::array<NDArray, K>& arrays, i64 channel, F&& f) {
  Dims sizes = arrays[0].shape();
  sizes.erase(1);
  std::array<Strides, K> strides;
  std::array<i64, K> offsets{};
  for (std::size_t k = 0; k < K; ++k) {
    strides[k] = arrays[k].strides();
    offsets[k] = channel * strides[k][1];
    strides[k].erase(1);
  }
  const std::array<i64, K> first = offsets;
  const i64 count = numel(sizes);
  Odometer<static_cast<int>(K)> walk(sizes, strides, 0);
  for (i64 i = 0; i < count; ++i, walk.next()) {
    for (std::size_t k = 0; k < K; ++k) offsets[k] = first[k] + walk.offset(static_cast<int>(k));
    f(offsets);
  }
}

/// Calls f(channel) for all channels of x, in parallel; each channel is one thread's.
template <class F>
void forChannels(const NDArray& x, F&& f) {
  const i64 perChannel = x.numel() / x.size(1);
  parallelFor(x.size(1), std::max<i64>(1, 16384 / std::max<i64>(1, perChannel)), [&](i64 begin, i64 end) {
    for (i64 c = begin; c < end; ++c) f(c);
  });
}

/// The type in which the separate activations work on elements of type S.
template <class S>
using Work = std::conditional_t<std::is_same_v<S, bf16>, float, S>;

template <class S>
bool positive(S v) {
  return convert<Work<S>>(v) > 0;
}
template <class S>
S scaled(S v, double slope) {
  return convert<S>(static_cast<Work<S>>(slope) * convert<Work<S>>(v));
}
/// act(v), and act'(v)·dy. NaN passes Relu.
template <class S>
S activate(S v, const FusedAct& act) {
  if (act.kind == Kind::Relu) return convert<Work<S>>(v) <= 0 ? S{} : v;
  if (act.kind == Kind::LeakyRelu) return positive(v) ? v : scaled(v, act.slope);
  return v;
}
template <class S>
S slopeTimes(S dy, S v, const FusedAct& act) {
  if (act.kind == Kind::None || positive(v)) return dy;
  return act.kind == Kind::Relu ? S{} : scaled(dy, act.slope);
}

/// The constants of one channel.
struct Channel {
  double mean, invstd, gamma, beta;

  double normalized(double x) const { return (x - mean) * invstd; }
  template <class S>
  S affine(double xh) const {
    return convert<S>(gamma * xh + beta);
  }
};

std::vector<Channel> channelsOf(i64 count, const NDArray& mean, const NDArray& invstd, const NDArray& gamma,
                                const NDArray& beta) {
  const batchnorm::ChannelValues m(mean), s(invstd), w(gamma, 1), b(beta, 0);
  std::vector<Channel> channels;
  for (i64 c = 0; c < count; ++c) channels.push_back({m[c], s[c], w[c], b[c]});
  return channels;
}

/// What one element gives to the backward: g = dy·act'(..) and xh.
struct Part {
  double g, xh;
};

template <class S>
Part fromInput(S x, S dy, const Channel& c, const FusedAct& act) {
  const double xh = c.normalized(convert<double>(x));
  return {convert<double>(slopeTimes(dy, c.affine<S>(xh), act)), xh};
}
/// The sign of y is that of the value before the activation.
template <class S>
Part fromOutput(S y, S dy, const Channel& c, const FusedAct& act) {
  const double value = convert<double>(y);
  const double before = act.kind == Kind::LeakyRelu && !positive(y) ? value / act.slope : value;
  return {convert<double>(slopeTimes(dy, y, act)), (before - c.beta) / c.gamma};
}
template <class S>
Part partOf(S v, S dy, const Channel& c, const BatchNormSaved& saved) {
  return saved.x.defined() ? fromInput(v, dy, c, saved.act) : fromOutput(v, dy, c, saved.act);
}

const NDArray& source(const BatchNormSaved& saved) { return saved.x.defined() ? saved.x : saved.y; }

std::vector<Channel> channelsOf(const BatchNormSaved& saved) {
  return channelsOf(source(saved).size(1), saved.mean, saved.invstd, saved.gamma, saved.beta);
}

/// g = dy·act'(..) by the sign of y.
NDArray timesSlope(const NDArray& dy, const BatchNormSaved& saved) {
  if (saved.act.kind == Kind::None) return dy;
  const NDArray g = NDArray::empty(dy.shape(), dy.dtype(), MemoryOrder::ChannelsLast);
  if (dy.numel() == 0) return g;
  batchnorm::forFloating(dy, [&](auto zero) {
    using S = decltype(zero);
    const S *gradients = dy.data<S>(), *outputs = saved.y.data<S>();
    S* to = g.data<S>();
    forChannels(dy, [&](i64 index) {
      forElements<3>({dy, saved.y, g}, index,
                     [&](const auto& at) { to[at[2]] = slopeTimes(gradients[at[0]], outputs[at[1]], saved.act); });
    });
  });
  return g;
}

}  // namespace

BatchStatistics batchStatistics(const NDArray& x) {
  batchnorm::checkStatisticsInput(x, "batchNorm");
  const i64 channels = x.size(1);
  BatchStatistics result{NDArray::empty({channels}, DType::F64), NDArray::empty({channels}, DType::F64)};
  double *means = result.mean.data<double>(), *vars = result.var.data<double>();
  const double count = static_cast<double>(x.numel() / channels);
  batchnorm::forFloating(x, [&](auto zero) {
    const auto* from = x.data<decltype(zero)>();
    forChannels(x, [&](i64 c) {
      double sum = 0, squares = 0;
      forElements<1>({x}, c, [&](const auto& at) { sum += convert<double>(from[at[0]]); });
      const double mean = sum / count;
      forElements<1>({x}, c, [&](const auto& at) {
        const double centred = convert<double>(from[at[0]]) - mean;
        squares += centred * centred;
      });
      means[c] = mean;
      vars[c] = squares / count;
    });
  });
  return result;
}

NDArray normalize(const NDArray& x, const NDArray& mean, const NDArray& invstd, const NDArray& gamma,
                  const NDArray& beta, const FusedAct& act, NDArray out, const NDArray& residual) {
  batchnorm::checkInput(x, "batchNorm");
  const NDArray y = out.defined() ? out : NDArray::empty(x.shape(), x.dtype(), MemoryOrder::ChannelsLast);
  if (x.numel() == 0) return y;
  const NDArray& r = residual.defined() ? residual : x;
  const std::vector<Channel> channels = channelsOf(x.size(1), mean, invstd, gamma, beta);
  batchnorm::forFloating(x, [&](auto zero) {
    using S = decltype(zero);
    const S *from = x.data<S>(), *added = r.data<S>();
    S* to = y.data<S>();
    forChannels(x, [&](i64 index) {
      const Channel& c = channels[static_cast<std::size_t>(index)];
      forElements<3>({x, y, r}, index, [&](const auto& at) {
        S v = c.affine<S>(c.normalized(convert<double>(from[at[0]])));
        if (residual.defined()) v = convert<S>(convert<double>(v) + convert<double>(added[at[2]]));
        to[at[1]] = activate(v, act);
      });
    });
  });
  return y;
}

BatchNormSums batchNormSums(const NDArray& dy, const BatchNormSaved& saved, NDArray* gradient) {
  if (gradient) {
    *gradient = timesSlope(dy, saved);
    BatchNormSaved linear = saved;
    linear.act = {};
    return reference::batchNormSums(*gradient, linear);
  }
  const NDArray& v = source(saved);
  BatchNormSums result{NDArray::zeros({v.size(1)}, DType::F64), NDArray::zeros({v.size(1)}, DType::F64)};
  if (v.numel() == 0) return result;
  double *sumG = result.g.data<double>(), *sumGXh = result.gxh.data<double>();
  const std::vector<Channel> channels = channelsOf(saved);
  batchnorm::forFloating(v, [&](auto zero) {
    using S = decltype(zero);
    const S *values = v.data<S>(), *gradients = dy.data<S>();
    forChannels(v, [&](i64 index) {
      const Channel& c = channels[static_cast<std::size_t>(index)];
      double g = 0, gxh = 0;
      forElements<2>({v, dy}, index, [&](const auto& at) {
        const Part part = partOf(values[at[0]], gradients[at[1]], c, saved);
        g += part.g;
        gxh += part.g * part.xh;
      });
      sumG[index] = g;
      sumGXh[index] = gxh;
    });
  });
  return result;
}

NDArray batchNormInputGrad(const NDArray& dy, const BatchNormSaved& saved, const BatchNormSums& sums, i64 count) {
  const NDArray& v = source(saved);
  const NDArray dx = NDArray::empty(v.shape(), v.dtype(), MemoryOrder::ChannelsLast);
  if (v.numel() == 0) return dx;
  const std::vector<Channel> channels = channelsOf(saved);
  const bool fixed = !sums.g.defined();
  const double m = static_cast<double>(count);
  batchnorm::forFloating(v, [&](auto zero) {
    using S = decltype(zero);
    const S *values = v.data<S>(), *gradients = dy.data<S>();
    S* to = dx.data<S>();
    forChannels(v, [&](i64 index) {
      const Channel& c = channels[static_cast<std::size_t>(index)];
      const double meanG = fixed ? 0 : sums.g.data<double>()[index] / m,
                   meanGXh = fixed ? 0 : sums.gxh.data<double>()[index] / m;
      forElements<3>({v, dy, dx}, index, [&](const auto& at) {
        const Part part = partOf(values[at[0]], gradients[at[1]], c, saved);
        to[at[2]] = convert<S>(c.gamma * c.invstd * (part.g - meanG - part.xh * meanGXh));
      });
    });
  });
  return dx;
}

}  // namespace ember::core::reference
