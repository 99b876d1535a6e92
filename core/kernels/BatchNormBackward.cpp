// Two passes: the sums, then dx. Both see the input through u = v-h on each lane:
//
//   from x:  v = x, h = hi of the mean (see the forward), xh = (u-lo)·is, and act's branch is the sign of scale·u +
//   shift,
//            the very expression of the forward: y need not be kept nor read
//   from y:  v = act^-1(y), h = beta, xh = u/gamma, branch by the sign of y
//
// With p, q such that xh = p·u + q:  sum(g·xh) = p·sum(g·u) + q·sum(g)  and
// dx = a·g + b·u + c  with  a = gamma·is,  b = -a·p·sum(g·xh)/m,  c = -a·(sum(g) + q·sum(g·xh))/m.
#include <ember/core/kernels/BatchNorm.h>

#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNormRows.h>
#include <ember/core/kernels/BatchNormSimd.h>

namespace ember::core {
namespace batchnorm {
namespace {

using Act = FusedAct::Kind;

/// Constants of a wide row. `slope` is 0 for Relu.
template <class T>
struct Lanes {
  const T *h, *scale, *shift;  // scale = a
  const T *b, *c;              // of dx; null in the first pass
  T slope;
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

/// sum(g) and sum(g·u) of the lanes of a strip over `rows` rows of `width`.
template <class Isa, int pairs, bool fromY, Act act, class S, class T>
EMBER_INLINE void sumStrip(const S* v, const S* dy, i64 rows, i64 width, const Lanes<T>& l, i64 j, T* sumG, T* sumGU) {
  using V = VectorOf<Isa, T>;
  constexpr i64 pair = 2 * lanes<Isa, T>;
  const Strip<Isa, pairs, S> strip(l, j);
  V totalG[pairs][2] = {}, totalGU[pairs][2] = {};
  i64 r = 0;
  for (; r + 4 <= rows; r += 4) {
    for (int p = 0; p < pairs; ++p) {
      V u[4][2], g[4][2];
      for (int k = 0; k < 4; ++k) {
        const i64 at = (r + k) * width + j + p * pair;
        strip.template unfold2<fromY, act>(p, v + at, dy + at, u[k], g[k]);
      }
      for (int h = 0; h < 2; ++h) {
        totalG[p][h] += (g[0][h] + g[1][h]) + (g[2][h] + g[3][h]);
        totalGU[p][h] += (g[0][h] * u[0][h] + g[1][h] * u[1][h]) + (g[2][h] * u[2][h] + g[3][h] * u[3][h]);
      }
    }
  }
  for (; r < rows; ++r) {
    for (int p = 0; p < pairs; ++p) {
      const i64 at = r * width + j + p * pair;
      V u[2], g[2];
      strip.template unfold2<fromY, act>(p, v + at, dy + at, u, g);
      for (int h = 0; h < 2; ++h) {
        totalG[p][h] += g[h];
        totalGU[p][h] += g[h] * u[h];
      }
    }
  }
  for (int p = 0; p < pairs; ++p) {
    storeLanes2<Isa, S>(sumG + j + p * pair, totalG[p]);
    storeLanes2<Isa, S>(sumGU + j + p * pair, totalGU[p]);
  }
}

template <class Isa, int pairs, bool fromY, Act act, class S, class T>
EMBER_INLINE void gradStrip(const S* v, const S* dy, S* dx, i64 rows, i64 width, const Lanes<T>& l, i64 j,
                            bool streaming) {
  using V = VectorOf<Isa, T>;
  constexpr i64 pair = 2 * lanes<Isa, T>;
  const Strip<Isa, pairs, S> strip(l, j);
  V b[pairs][2], c[pairs][2];
  for (int p = 0; p < pairs; ++p) {
    loadLanes2<Isa, S>(l.b + j + p * pair, b[p]);
    loadLanes2<Isa, S>(l.c + j + p * pair, c[p]);
  }
  for (i64 r = 0; r < rows; ++r) {
    for (int p = 0; p < pairs; ++p) {
      const i64 at = r * width + j + p * pair;
      V u[2], g[2];
      strip.template unfold2<fromY, act>(p, v + at, dy + at, u, g);
      for (int h = 0; h < 2; ++h) g[h] = strip.scale[2 * p + h] * g[h] + (b[p][h] * u[h] + c[p][h]);
      store2<Isa>(dx + at, g, streaming);
    }
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

/// lane[j] += block[j].
template <class T>
EMBER_INLINE void addLanesOf(double* lane, const T* block, i64 count) {
  EMBER_INDEPENDENT
  for (i64 j = 0; j < count; ++j) lane[j] += static_cast<double>(block[j]);
}
EMBER_SIMD void addLanes(double* lane, const float* block, i64 count) { addLanesOf(lane, block, count); }
EMBER_SIMD void addLanes(double* lane, const double* block, i64 count) { addLanesOf(lane, block, count); }

/// Per channel, as named at the top of the file.
struct Constants {
  std::vector<double> h, scale, shift, p, q;
};

template <class T>
Constants constantsOf(const BatchNormSaved& saved, i64 channels) {
  const bool fromY = !saved.x.defined();
  const std::vector<double> mean = saved.mean.toVector<double>(), invstd = saved.invstd.toVector<double>(),
                            gamma = valuesOr(saved.gamma, 1, channels), beta = valuesOr(saved.beta, 0, channels);
  const std::size_t n = mean.size();
  Constants k{std::vector<double>(n), std::vector<double>(n), std::vector<double>(n), std::vector<double>(n),
              std::vector<double>(n, 0.0)};
  for (std::size_t i = 0; i < n; ++i) {
    const double hi = static_cast<double>(static_cast<T>(mean[i])), lo = mean[i] - hi;
    k.scale[i] = gamma[i] * invstd[i];
    k.shift[i] = beta[i] - lo * k.scale[i];
    k.h[i] = fromY ? beta[i] : hi;
    k.p[i] = fromY ? 1 / gamma[i] : invstd[i];
    k.q[i] = fromY ? 0 : -lo * invstd[i];
  }
  return k;
}

/// The array that the passes read, dense.
NDArray source(const BatchNormSaved& saved) {
  return (saved.x.defined() ? saved.x : saved.y).contiguous(MemoryOrder::ChannelsLast);
}
template <class T>
T slopeOf(const FusedAct& act) {
  return act.kind == Act::LeakyRelu ? static_cast<T>(act.slope) : T(0);
}

template <class S>
void sums(const S* v, const S* dy, const Rows& rows, const BatchNormSaved& saved, double* sumG, double* sumGXh) {
  using T = Arithmetic<S>;
  const Constants k = constantsOf<T>(saved, rows.channels);
  const std::vector<T> h = spread<T>(k.h, rows), scale = spread<T>(k.scale, rows), shift = spread<T>(k.shift, rows);
  const Lanes<T> l{h.data(), scale.data(), shift.data(), nullptr, nullptr, slopeOf<T>(saved.act)};
  const i64 width = rows.width;
  // The sums of each block, [blocks + 1, 2, width]; the rest is a block of one row.
  NDArray results = NDArray::empty({rows.blocks + 1, 2, width}, DTypeOf<T>::value);
  T* out = results.data<T>();
  forVariant(saved, [&](auto fromY, auto act) {
    const auto blocks = [&](const S* from, const S* gradient, T* to, const Rows& part, i64 begin, i64 end) {
      simd([&](auto isa) EMBER_SIMD_BODY {
        using Isa = decltype(isa);
        for (i64 i = begin; i < end; ++i) {
          const i64 at = part.offsetOf(i), count = part.rowsOf(i);
          T* sumsOfBlock = to + 2 * i * width;
          forStrips<Isa, T>(width, [&](i64 j, auto pairs) EMBER_SIMD_BODY {
            sumStrip<Isa, decltype(pairs)::value, decltype(fromY)::value, decltype(act)::value>(
                from + at, gradient + at, count, width, l, j, sumsOfBlock, sumsOfBlock + width);
          });
        }
      });
    };
    parallelFor(rows.blocks, rows.grain(), [&](i64 begin, i64 end) { blocks(v, dy, out, rows, begin, end); });
    if (rows.restWidth == 0) return;
    const PaddedRest<S> restV(v, rows), restDy(dy, rows);
    blocks(restV.row.data(), restDy.row.data(), out + 2 * rows.blocks * width, rows.oneRow(), 0, 1);
  });
  std::vector<double> lane(static_cast<std::size_t>(2 * width), 0.0), g(k.h.size(), 0.0), gu = g;
  for (i64 i = 0; i < rows.blocks; ++i, out += 2 * width) addLanes(lane.data(), out, 2 * width);
  if (rows.restWidth > 0) {
    addLanes(lane.data(), out, rows.restWidth);
    addLanes(lane.data() + width, out + width, rows.restWidth);
  }
  foldLanes(lane.data(), width, g);
  foldLanes(lane.data() + width, width, gu);
  for (std::size_t c = 0; c < g.size(); ++c) {
    sumG[c] = g[c];
    sumGXh[c] = k.p[c] * gu[c] + k.q[c] * g[c];
  }
}

template <class S>
void inputGrad(const S* v, const S* dy, S* dx, const Rows& rows, const BatchNormSaved& saved, const BatchNormSums& sums,
               i64 count) {
  using T = Arithmetic<S>;
  const Constants k = constantsOf<T>(saved, rows.channels);
  std::vector<double> b(k.scale.size(), 0.0), c = b;
  if (sums.g.defined()) {
    const std::vector<double> g = sums.g.toVector<double>(), gxh = sums.gxh.toVector<double>();
    for (std::size_t i = 0; i < b.size(); ++i) {
      const double share = -k.scale[i] / static_cast<double>(count);
      b[i] = share * k.p[i] * gxh[i];
      c[i] = share * (g[i] + k.q[i] * gxh[i]);
    }
  }
  const std::vector<T> h = spread<T>(k.h, rows), scale = spread<T>(k.scale, rows), shift = spread<T>(k.shift, rows),
                       wideB = spread<T>(b, rows), wideC = spread<T>(c, rows);
  const Lanes<T> l{h.data(), scale.data(), shift.data(), wideB.data(), wideC.data(), slopeOf<T>(saved.act)};
  const bool streaming = worthStreaming(dx, rows);
  forVariant(saved, [&](auto fromY, auto act) {
    const auto blocks = [&](const S* from, const S* gradient, S* to, const Rows& part, i64 begin, i64 end, bool past) {
      simd([&](auto isa) EMBER_SIMD_BODY {
        using Isa = decltype(isa);
        for (i64 i = end; i-- > begin;) {  // backwards, as the forward does
          const i64 at = part.offsetOf(i), n = part.rowsOf(i);
          forStrips<Isa, T>(part.width, [&](i64 j, auto pairs) EMBER_SIMD_BODY {
            gradStrip<Isa, decltype(pairs)::value, decltype(fromY)::value, decltype(act)::value>(
                from + at, gradient + at, to + at, n, part.width, l, j, past);
          });
        }
      });
      if (past) endStreaming();
    };
    parallelFor(rows.blocks, rows.grain(), [&](i64 begin, i64 end) { blocks(v, dy, dx, rows, begin, end, streaming); });
    if (rows.restWidth == 0) return;
    const PaddedRest<S> restDy(dy, rows);
    PaddedRest<S> rest(v, rows);
    blocks(rest.row.data(), restDy.row.data(), rest.row.data(), rows.oneRow(), 0, 1, false);
    rest.copyTo(dx, rows);
  });
}

}  // namespace
}  // namespace batchnorm

BatchNormSums batchNormSums(const NDArray& dy, const BatchNormSaved& saved) {
  ComputeScope scope;
  const NDArray v = batchnorm::source(saved), d = dy.contiguous(MemoryOrder::ChannelsLast);
  const batchnorm::Rows rows(v);
  BatchNormSums result{NDArray::zeros({rows.channels}, DType::F64), NDArray::zeros({rows.channels}, DType::F64)};
  if (v.numel() == 0) return result;
  batchnorm::forFloating(v, [&](auto zero) {
    using S = decltype(zero);
    batchnorm::sums(v.data<S>(), d.data<S>(), rows, saved, result.g.data<double>(), result.gxh.data<double>());
  });
  return result;
}

NDArray batchNormInputGrad(const NDArray& dy, const BatchNormSaved& saved, const BatchNormSums& sums, i64 count) {
  ComputeScope scope;
  const NDArray v = batchnorm::source(saved), d = dy.contiguous(MemoryOrder::ChannelsLast);
  NDArray dx = NDArray::empty(v.shape(), v.dtype(), MemoryOrder::ChannelsLast);
  if (v.numel() == 0) return dx;
  const batchnorm::Rows rows(v);
  batchnorm::forFloating(v, [&](auto zero) {
    using S = decltype(zero);
    batchnorm::inputGrad(v.data<S>(), d.data<S>(), dx.data<S>(), rows, saved, sums, count);
  });
  return dx;
}

}  // namespace ember::core
