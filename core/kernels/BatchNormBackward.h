#pragma once
#include <type_traits>
#include <vector>

#include <ember/core/kernels/BatchNorm.h>
#include <ember/core/kernels/BatchNormRows.h>
#include <ember/core/kernels/BatchNormSimd.h>

/// What the two passes of the backward share. Both see the input through u = v-h on each lane:
///
///   from x:  v = x, h = hi of the mean (see the forward), xh = (u-lo)·is, and act's branch is the sign of
///            scale·u + shift, the very expression of the forward: y need not be kept nor read
///   from y:  v = act^-1(y), h = beta, xh = u/gamma, branch by the sign of y
///   both:    (the first pass behind a residual) v = x, branch by the sign of y; g is kept, and the second pass takes
///            it as a dy without activation
///
/// With p, q such that xh = p·u + q:  sum(g·xh) = p·sum(g·u) + q·sum(g)  and
/// dx = a·g + b·u + c  with  a = gamma·is,  b = -a·p·sum(g·xh)/m,  c = -a·(sum(g) + q·sum(g·xh))/m.
namespace ember::core::batchnorm {

using Act = FusedAct::Kind;

/// Of one channel, as named above.
struct Constants {
  double h, scale, shift, p, q;
};

/// Those of each channel, and the lanes of h, scale, shift and `more` others.
template <class T>
struct ChannelConstants {
  std::vector<Constants> channels;
  WideConstants<T> wide;

  ChannelConstants(const BatchNormSaved& saved, const Rows& rows, int more = 0)
      : channels(static_cast<std::size_t>(rows.channels)), wide(rows, 3 + more) {
    const bool fromY = !saved.x.defined();
    const ChannelValues mean(saved.mean), invstd(saved.invstd), gamma(saved.gamma, 1), beta(saved.beta, 0);
    for (i64 c = 0; c < rows.channels; ++c) {
      const double hi = static_cast<double>(static_cast<T>(mean[c])), lo = mean[c] - hi;
      Constants& k = (*this)[c];
      k.scale = gamma[c] * invstd[c];
      k.shift = beta[c] - lo * k.scale;
      k.h = fromY ? beta[c] : hi;
      k.p = fromY ? 1 / gamma[c] : invstd[c];
      k.q = fromY ? 0 : -lo * invstd[c];
      wide.set(0, c, k.h);
      wide.set(1, c, k.scale);
      wide.set(2, c, k.shift);
    }
  }
  Constants& operator[](i64 channel) { return channels[static_cast<std::size_t>(channel)]; }
};

/// The array that the passes read, dense.
inline NDArray source(const BatchNormSaved& saved) {
  return (saved.x.defined() ? saved.x : saved.y).contiguous(MemoryOrder::ChannelsLast);
}
/// Of the branch below zero.
template <class T>
T slopeOf(const FusedAct& act) {
  return act.kind == Act::LeakyRelu ? static_cast<T>(act.slope) : T(0);
}

/// Constants of a wide row. `slope` is 0 for Relu.
template <class T>
struct Lanes {
  const T *h, *scale, *shift;  // scale = a
  const T *b, *c;              // of dx; null in the first pass
  T slope;
  bool cuts;  // Relu: below zero is 0, also where that would be infinity times 0
};

/// Pairs of vectors of the constants from lane j on, for elements of type S.
template <class Isa, int pairs, class S>
struct Strip {
  using T = Arithmetic<S>;
  using V = VectorOf<Isa, T>;
  V h[2 * pairs], scale[2 * pairs], shift[2 * pairs];
  V zero{}, slope, inverseSlope;

  EMBER_INLINE Strip(const Lanes<T>& l, i64 j) {
    slope = broadcast<Isa>(l.slope);
    inverseSlope = broadcast<Isa>(l.slope > 0 ? T(1) / l.slope : T(0));
    for (int v = 0; v < 2 * pairs; v += 2) {
      loadLanes2<Isa, S>(l.h + j + v * lanes<Isa, T>, h + v);
      loadLanes2<Isa, S>(l.scale + j + v * lanes<Isa, T>, scale + v);
      loadLanes2<Isa, S>(l.shift + j + v * lanes<Isa, T>, shift + v);
    }
  }
  /// u and g of vector v; `from` holds x, or y if fromY.
  template <bool fromY, Act act>
  EMBER_INLINE void unfold(int v, const V& from, const V& dy, V& u, V& g) const {
    if constexpr (act == Act::None) {
      u = from - h[v];
      g = dy;
    } else if constexpr (fromY) {
      u = (from > zero ? from : from * inverseSlope) - h[v];
      g = from > zero ? dy : dy * slope;
    } else {
      u = from - h[v];
      const V value = u * scale[v] + shift[v];
      if constexpr (act == Act::Relu) g = value > zero ? dy : zero;
      if constexpr (act == Act::LeakyRelu) g = value > zero ? dy : dy * slope;
    }
  }
  /// The same of pair p at `from` and `dy`.
  template <bool fromY, Act act>
  EMBER_INLINE void unfold2(int p, const S* from, const S* dy, V (&u)[2], V (&g)[2]) const {
    V values[2], gradients[2];
    load2<Isa>(from, values);
    load2<Isa>(dy, gradients);
    for (int half = 0; half < 2; ++half) {
      unfold<fromY, act>(2 * p + half, values[half], gradients[half], u[half], g[half]);
    }
  }
};

/// u and g of pair p behind a residual: x at `from`, y at `y`.
template <class Isa, int pairs, class S>
EMBER_INLINE void unfoldByOutput2(const Strip<Isa, pairs, S>& strip, int p, const S* from, const S* y, const S* dy,
                                  bool cuts, VectorOf<Isa, Arithmetic<S>> (&u)[2],
                                  VectorOf<Isa, Arithmetic<S>> (&g)[2]) {
  VectorOf<Isa, Arithmetic<S>> values[2], outputs[2], gradients[2];
  load2<Isa>(from, values);
  load2<Isa>(y, outputs);
  load2<Isa>(dy, gradients);
  for (int half = 0; half < 2; ++half) {
    u[half] = values[half] - strip.h[2 * p + half];
    const auto below = cuts ? strip.zero : gradients[half] * strip.slope;
    g[half] = outputs[half] > strip.zero ? gradients[half] : below;
  }
}

/// Calls f(fromY, act) with constants. Relu cannot be undone, so it never comes from y; without an activation the
/// source makes no difference.
template <class F>
void forVariant(const BatchNormSaved& saved, F&& f) {
  using std::bool_constant;
  using std::integral_constant;
  if (saved.act.kind == Act::None) return f(bool_constant<false>{}, integral_constant<Act, Act::None>{});
  if (saved.act.kind == Act::Relu) return f(bool_constant<false>{}, integral_constant<Act, Act::Relu>{});
  if (saved.x.defined()) return f(bool_constant<false>{}, integral_constant<Act, Act::LeakyRelu>{});
  f(bool_constant<true>{}, integral_constant<Act, Act::LeakyRelu>{});
}

}  // namespace ember::core::batchnorm
