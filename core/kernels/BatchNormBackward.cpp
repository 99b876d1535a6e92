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

/// u and g of one element; `from` holds x, or y if fromY.
template <bool fromY, Act act, class T>
EMBER_INLINE void unfold(T from, T dy, T h, T scale, T shift, T slope, T inverseSlope, T& u, T& g) {
  if constexpr (act == Act::None) {
    u = from - h;
    g = dy;
  } else if constexpr (fromY) {
    const bool positive = from > 0;
    u = (positive ? from : from * inverseSlope) - h;
    g = positive ? dy : dy * slope;
  } else {
    u = from - h;
    const bool positive = u * scale + shift > 0;
    if constexpr (act == Act::Relu) g = positive ? dy : T(0);
    if constexpr (act == Act::LeakyRelu) g = positive ? dy : dy * slope;
  }
}

template <bool fromY, Act act, class S, class T>
EMBER_INLINE void sumRows(const S* __restrict v, const S* __restrict dy, i64 rows, i64 width, const Lanes<T>& l,
                          T* __restrict sumG, T* __restrict sumGU) {
  const T* __restrict h = l.h, * __restrict scale = l.scale, * __restrict shift = l.shift;
  const T slope = l.slope, inverse = slope > 0 ? T(1) / slope : T(0);
  for (i64 j = 0; j < width; ++j) sumG[j] = sumGU[j] = 0;
  i64 r = 0;
  for (; r + 4 <= rows; r += 4) {
    const S *v0 = v + r * width, *v1 = v0 + width, *v2 = v1 + width, *v3 = v2 + width;
    const S *d0 = dy + r * width, *d1 = d0 + width, *d2 = d1 + width, *d3 = d2 + width;
    EMBER_INDEPENDENT
    for (i64 j = 0; j < width; ++j) {
      const T hj = h[j], s = scale[j], t = shift[j];
      T u0, u1, u2, u3, g0, g1, g2, g3;
      unfold<fromY, act>(load(v0[j]), load(d0[j]), hj, s, t, slope, inverse, u0, g0);
      unfold<fromY, act>(load(v1[j]), load(d1[j]), hj, s, t, slope, inverse, u1, g1);
      unfold<fromY, act>(load(v2[j]), load(d2[j]), hj, s, t, slope, inverse, u2, g2);
      unfold<fromY, act>(load(v3[j]), load(d3[j]), hj, s, t, slope, inverse, u3, g3);
      sumG[j] += (g0 + g1) + (g2 + g3);
      sumGU[j] += (g0 * u0 + g1 * u1) + (g2 * u2 + g3 * u3);
    }
  }
  for (; r < rows; ++r) {
    const S *v0 = v + r * width, *d0 = dy + r * width;
    EMBER_INDEPENDENT
    for (i64 j = 0; j < width; ++j) {
      T u, g;
      unfold<fromY, act>(load(v0[j]), load(d0[j]), h[j], scale[j], shift[j], slope, inverse, u, g);
      sumG[j] += g;
      sumGU[j] += g * u;
    }
  }
}

template <bool fromY, Act act, class S, class T>
EMBER_INLINE void gradRows(const S* __restrict v, const S* __restrict dy, S* __restrict dx, i64 rows, i64 width,
                           const Lanes<T>& l) {
  const T *__restrict h = l.h, *__restrict scale = l.scale, *__restrict shift = l.shift;
  const T *__restrict b = l.b, *__restrict c = l.c;
  const T slope = l.slope, inverse = slope > 0 ? T(1) / slope : T(0);
  i64 r = 0;
  for (; r + 2 <= rows; r += 2) {
    const S *v0 = v + r * width, *v1 = v0 + width, *d0 = dy + r * width, *d1 = d0 + width;
    S *e0 = dx + r * width, *e1 = e0 + width;
    EMBER_INDEPENDENT
    for (i64 j = 0; j < width; ++j) {
      const T hj = h[j], s = scale[j], t = shift[j], bj = b[j], cj = c[j];
      T u0, u1, g0, g1;
      unfold<fromY, act>(load(v0[j]), load(d0[j]), hj, s, t, slope, inverse, u0, g0);
      unfold<fromY, act>(load(v1[j]), load(d1[j]), hj, s, t, slope, inverse, u1, g1);
      store(e0[j], s * g0 + (bj * u0 + cj));
      store(e1[j], s * g1 + (bj * u1 + cj));
    }
  }
  for (; r < rows; ++r) {
    const S *v0 = v + r * width, *d0 = dy + r * width;
    S* e0 = dx + r * width;
    EMBER_INDEPENDENT
    for (i64 j = 0; j < width; ++j) {
      T u, g;
      unfold<fromY, act>(load(v0[j]), load(d0[j]), h[j], scale[j], shift[j], slope, inverse, u, g);
      store(e0[j], scale[j] * g + (b[j] * u + c[j]));
    }
  }
}

/// Which loop: the two sources times the activations (Relu cannot be undone, so it never comes from y).
struct Variant {
  bool fromY;
  Act act;
};

template <class S, class T>
EMBER_INLINE void sumBlock(Variant k, const S* v, const S* dy, i64 rows, i64 width, const Lanes<T>& l, T* g, T* gu) {
  if (k.act == Act::None) return sumRows<false, Act::None>(v, dy, rows, width, l, g, gu);
  if (k.act == Act::Relu) return sumRows<false, Act::Relu>(v, dy, rows, width, l, g, gu);
  if (k.fromY) return sumRows<true, Act::LeakyRelu>(v, dy, rows, width, l, g, gu);
  sumRows<false, Act::LeakyRelu>(v, dy, rows, width, l, g, gu);
}
template <class S, class T>
EMBER_INLINE void gradBlock(Variant k, const S* v, const S* dy, S* dx, i64 rows, i64 width, const Lanes<T>& l) {
  if (k.act == Act::None) return gradRows<false, Act::None>(v, dy, dx, rows, width, l);
  if (k.act == Act::Relu) return gradRows<false, Act::Relu>(v, dy, dx, rows, width, l);
  if (k.fromY) return gradRows<true, Act::LeakyRelu>(v, dy, dx, rows, width, l);
  gradRows<false, Act::LeakyRelu>(v, dy, dx, rows, width, l);
}

EMBER_SIMD void sumOf(Variant k, const float* v, const float* dy, i64 rows, i64 width, const Lanes<float>& l, float* g,
                      float* gu) {
  sumBlock(k, v, dy, rows, width, l, g, gu);
}
EMBER_SIMD void sumOf(Variant k, const double* v, const double* dy, i64 rows, i64 width, const Lanes<double>& l,
                      double* g, double* gu) {
  sumBlock(k, v, dy, rows, width, l, g, gu);
}
EMBER_SIMD void sumOf(Variant k, const bf16* v, const bf16* dy, i64 rows, i64 width, const Lanes<float>& l, float* g,
                      float* gu) {
  sumBlock(k, v, dy, rows, width, l, g, gu);
}
EMBER_SIMD void gradOf(Variant k, const float* v, const float* dy, float* dx, i64 rows, i64 width,
                       const Lanes<float>& l) {
  gradBlock(k, v, dy, dx, rows, width, l);
}
EMBER_SIMD void gradOf(Variant k, const double* v, const double* dy, double* dx, i64 rows, i64 width,
                       const Lanes<double>& l) {
  gradBlock(k, v, dy, dx, rows, width, l);
}
EMBER_SIMD void gradOf(Variant k, const bf16* v, const bf16* dy, bf16* dx, i64 rows, i64 width, const Lanes<float>& l) {
  gradBlock(k, v, dy, dx, rows, width, l);
}

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
Variant variantOf(const BatchNormSaved& saved) { return {!saved.x.defined(), saved.act.kind}; }
template <class T>
T slopeOf(const FusedAct& act) {
  return act.kind == Act::LeakyRelu ? static_cast<T>(act.slope) : T(0);
}

template <class S>
void sums(const S* v, const S* dy, const Rows& rows, const BatchNormSaved& saved, double* sumG, double* sumGXh) {
  using T = Arithmetic<S>;
  const Constants k = constantsOf<T>(saved, rows.channels);
  const std::vector<T> h = spread<T>(k.h, rows), scale = spread<T>(k.scale, rows), shift = spread<T>(k.shift, rows);
  const Lanes<T> lanes{h.data(), scale.data(), shift.data(), nullptr, nullptr, slopeOf<T>(saved.act)};
  const Variant variant = variantOf(saved);
  const i64 width = rows.width;
  const i64 blocks = rows.blocks + (rows.restWidth > 0 ? 1 : 0);  // the rest row is a block of its own
  const NDArray results = NDArray::empty({blocks, 2, width}, DTypeOf<T>::value);
  T* out = results.data<T>();
  parallelFor(blocks, rows.grain(), [&](i64 begin, i64 end) {
    for (i64 b = begin; b < end; ++b) {
      T *g = out + 2 * b * width, *gu = g + width;
      if (b < rows.blocks) {
        sumOf(variant, v + rows.offsetOf(b), dy + rows.offsetOf(b), rows.rowsOf(b), width, lanes, g, gu);
      } else {
        std::fill(g, g + 2 * width, T(0));
        sumOf(variant, v + rows.restOffset(), dy + rows.restOffset(), 1, rows.restWidth, lanes, g, gu);
      }
    }
  });
  std::vector<double> laneG(static_cast<std::size_t>(width), 0.0), laneGU = laneG;
  for (i64 b = 0; b < blocks; ++b, out += 2 * width) {
    for (i64 j = 0; j < width; ++j) {
      laneG[static_cast<std::size_t>(j)] += static_cast<double>(out[j]);
      laneGU[static_cast<std::size_t>(j)] += static_cast<double>(out[width + j]);
    }
  }
  const std::vector<double> g = foldLanes(laneG, rows), gu = foldLanes(laneGU, rows);
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
  const Lanes<T> lanes{h.data(), scale.data(), shift.data(), wideB.data(), wideC.data(), slopeOf<T>(saved.act)};
  const Variant variant = variantOf(saved);
  parallelFor(rows.blocks, rows.grain(), [&](i64 begin, i64 end) {
    for (i64 i = end; i-- > begin;) {  // backwards, as the forward does
      const i64 at = rows.offsetOf(i);
      gradOf(variant, v + at, dy + at, dx + at, rows.rowsOf(i), rows.width, lanes);
    }
  });
  const i64 at = rows.restOffset();
  if (rows.restWidth > 0) gradOf(variant, v + at, dy + at, dx + at, 1, rows.restWidth, lanes);
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
