#include <ember/core/kernels/reference/Conv.h>

#include <algorithm>
#include <vector>

#include <ember/core/Simd.h>
#include <ember/core/Threads.h>

// All three directions are sums of rank-1 updates along the channels, which lie together in memory:
//   forward           y[n, p, :]    += x[n, i, c]  · w[r, c, :]      over r, c with i = p·stride + r·dilation - pad
//   backward data     dx[n, i, :]   += dy[n, p, k] · w[r, :, k]      over the same pairs (p, r) of i
//   backward weights  dw[r, c, :]   += x[n, i, c]  · dy[n, p, :]     over n and the same pairs (i, p) of r
// Each thread owns the rows that it adds to.

namespace ember::core::reference {
namespace {

using Index = std::array<i64, 3>;

/// The geometry with three spatial axes (unused leading ones have size 1) and channel counts per group.
struct Lifted {
  i64 batch, groups, c, k, taps;
  Index in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, pad{0, 0, 0}, dilation{1, 1, 1};

  Lifted(const Shape& x, const Shape& w, const Shape& y, const ConvGeometry& g)
      : batch(x[0]), groups(g.groups), c(w[1]), k(w[0] / g.groups) {
    for (int i = 0; i < g.spatial; ++i) {
      const auto from = static_cast<std::size_t>(i), to = static_cast<std::size_t>(i + 3 - g.spatial);
      in[to] = x[2 + i], out[to] = y[2 + i], kernel[to] = w[2 + i];
      stride[to] = g.stride[from], pad[to] = g.padBefore[from], dilation[to] = g.dilation[from];
    }
    taps = kernel[0] * kernel[1] * kernel[2];
  }

  i64 inSize() const { return in[0] * in[1] * in[2]; }
  i64 outSize() const { return out[0] * out[1] * out[2]; }
  Index tap(i64 r) const { return {r / (kernel[1] * kernel[2]), r / kernel[2] % kernel[1], r % kernel[2]}; }

  /// Flat position in x that output `p` sees through tap `r`, or -1 in the padding.
  i64 inputOf(const Index& p, const Index& r) const {
    i64 flat = 0;
    for (std::size_t a = 0; a < 3; ++a) {
      const i64 i = p[a] * stride[a] + r[a] * dilation[a] - pad[a];
      if (i < 0 || i >= in[a]) return -1;
      flat = flat * in[a] + i;
    }
    return flat;
  }

  /// Flat position in y that sees input `i` through tap `r`, or -1.
  i64 outputOf(const Index& i, const Index& r) const {
    i64 flat = 0;
    for (std::size_t a = 0; a < 3; ++a) {
      const i64 shifted = i[a] + pad[a] - r[a] * dilation[a];
      if (shifted < 0 || shifted % stride[a] != 0 || shifted / stride[a] >= out[a]) return -1;
      flat = flat * out[a] + shifted / stride[a];
    }
    return flat;
  }
};

Index unflatten(i64 flat, const Index& size) {
  return {flat / (size[1] * size[2]), flat / size[2] % size[1], flat % size[2]};
}

/// sum[j] += scale[i] · rows[i, j] for i < count, j < width.
template <class Scale, class Row>
[[gnu::always_inline]] inline void addRows(double* sum, const Scale* scale, i64 count, const Row* rows, i64 width) {
  for (i64 i = 0; i < count; ++i) {
    const auto s = static_cast<double>(scale[i]);
    for (i64 j = 0; j < width; ++j) sum[j] += s * static_cast<double>(rows[i * width + j]);
  }
}
EMBER_SIMD void accumulate(double* sum, const float* scale, i64 count, const double* rows, i64 width) {
  addRows(sum, scale, count, rows, width);
}
EMBER_SIMD void accumulate(double* sum, const double* scale, i64 count, const double* rows, i64 width) {
  addRows(sum, scale, count, rows, width);
}

/// sum[i, j] += left[i] · right[j].
template <class T>
[[gnu::always_inline]] inline void addOuter(double* sum, const T* left, i64 rows, const T* right, i64 width) {
  for (i64 i = 0; i < rows; ++i) {
    const auto s = static_cast<double>(left[i]);
    for (i64 j = 0; j < width; ++j) sum[i * width + j] += s * static_cast<double>(right[j]);
  }
}
EMBER_SIMD void accumulateOuter(double* sum, const float* left, i64 rows, const float* right, i64 width) {
  addOuter(sum, left, rows, right, width);
}
EMBER_SIMD void accumulateOuter(double* sum, const double* left, i64 rows, const double* right, i64 width) {
  addOuter(sum, left, rows, right, width);
}

/// Weights as [group, tap, c, k], or [group, tap, k, c] if `kFirst`, in f64.
template <class T>
std::vector<double> repack(const T* w, const Lifted& l, bool kFirst) {
  std::vector<double> packed(static_cast<std::size_t>(l.groups * l.taps * l.c * l.k));
  for (i64 g = 0; g < l.groups; ++g) {
    for (i64 k = 0; k < l.k; ++k) {
      for (i64 c = 0; c < l.c; ++c) {
        for (i64 r = 0; r < l.taps; ++r) {
          const i64 place = kFirst ? k * l.c + c : c * l.k + k;
          packed[static_cast<std::size_t>((g * l.taps + r) * l.c * l.k + place)] =
              static_cast<double>(w[((g * l.k + k) * l.c + c) * l.taps + r]);
        }
      }
    }
  }
  return packed;
}

/// Items of so many multiply-adds that are worth a thread: below, waking it costs more. Each item is a sum of its own,
/// so the split changes no bits.
i64 grainOf(i64 multiplyAdds) { return std::max<i64>(1, 16384 / std::max<i64>(1, multiplyAdds)); }

template <class T>
void forward(const T* x, const T* w, const T* bias, T* y, const Lifted& l) {
  const auto weights = repack(w, l, false);
  const i64 channels = l.groups * l.c, filters = l.groups * l.k;
  parallelFor(l.batch * l.outSize(), grainOf(filters * l.c * l.taps), [&](i64 begin, i64 end) {
    std::vector<double> sum(static_cast<std::size_t>(l.k));
    for (i64 item = begin; item < end; ++item) {
      const i64 n = item / l.outSize();
      const Index p = unflatten(item % l.outSize(), l.out);
      for (i64 g = 0; g < l.groups; ++g) {
        for (i64 k = 0; k < l.k; ++k)
          sum[static_cast<std::size_t>(k)] = bias ? static_cast<double>(bias[g * l.k + k]) : 0.0;
        for (i64 r = 0; r < l.taps; ++r) {
          const i64 i = l.inputOf(p, l.tap(r));
          if (i < 0) continue;
          accumulate(sum.data(), x + (n * l.inSize() + i) * channels + g * l.c, l.c,
                     weights.data() + (g * l.taps + r) * l.c * l.k, l.k);
        }
        std::transform(sum.begin(), sum.end(), y + item * filters + g * l.k,
                       [](double v) { return static_cast<T>(v); });
      }
    }
  });
}

template <class T>
void backwardData(const T* dy, const T* w, T* dx, const Lifted& l) {
  const auto weights = repack(w, l, true);
  const i64 channels = l.groups * l.c, filters = l.groups * l.k;
  parallelFor(l.batch * l.inSize(), grainOf(filters * l.c * l.taps), [&](i64 begin, i64 end) {
    std::vector<double> sum(static_cast<std::size_t>(l.c));
    for (i64 item = begin; item < end; ++item) {
      const i64 n = item / l.inSize();
      const Index i = unflatten(item % l.inSize(), l.in);
      for (i64 g = 0; g < l.groups; ++g) {
        std::fill(sum.begin(), sum.end(), 0.0);
        for (i64 r = 0; r < l.taps; ++r) {
          const i64 p = l.outputOf(i, l.tap(r));
          if (p < 0) continue;
          accumulate(sum.data(), dy + (n * l.outSize() + p) * filters + g * l.k, l.k,
                     weights.data() + (g * l.taps + r) * l.c * l.k, l.c);
        }
        std::transform(sum.begin(), sum.end(), dx + item * channels + g * l.c,
                       [](double v) { return static_cast<T>(v); });
      }
    }
  });
}

template <class T>
void backwardWeights(const T* dy, const T* x, T* dw, const Lifted& l) {
  constexpr i64 block = 8;  // channels that share one walk over the batch
  const i64 channels = l.groups * l.c, filters = l.groups * l.k, blocks = (l.c + block - 1) / block;
  parallelFor(l.groups * l.taps * blocks, grainOf(block * l.k * l.batch * l.outSize()), [&](i64 begin, i64 end) {
    std::vector<double> sum(static_cast<std::size_t>(block * l.k));
    for (i64 item = begin; item < end; ++item) {
      const i64 g = item / (l.taps * blocks), r = item / blocks % l.taps, c = item % blocks * block;
      const i64 rows = std::min(block, l.c - c);
      const Index tap = l.tap(r);
      std::fill(sum.begin(), sum.end(), 0.0);
      for (i64 n = 0; n < l.batch; ++n) {
        for (i64 p = 0; p < l.outSize(); ++p) {
          const i64 i = l.inputOf(unflatten(p, l.out), tap);
          if (i < 0) continue;
          accumulateOuter(sum.data(), x + (n * l.inSize() + i) * channels + g * l.c + c, rows,
                          dy + (n * l.outSize() + p) * filters + g * l.k, l.k);
        }
      }
      for (i64 row = 0; row < rows; ++row) {
        for (i64 k = 0; k < l.k; ++k) {
          dw[((g * l.k + k) * l.c + c + row) * l.taps + r] =
              static_cast<T>(sum[static_cast<std::size_t>(row * l.k + k)]);
        }
      }
    }
  });
}

/// f(float{}) or f(double{}).
template <class F>
void forFloating(DType dtype, F&& f) {
  if (dtype == DType::F64) {
    f(double{});
  } else {
    f(float{});
  }
}

}  // namespace

NDArray conv(const NDArray& x, const NDArray& w, const NDArray& bias, const Shape& yShape,
             const ConvGeometry& geometry) {
  NDArray y = NDArray::empty(yShape, x.dtype(), MemoryOrder::ChannelsLast);
  const Lifted lifted(x.shape(), w.shape(), yShape, geometry);
  forFloating(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    forward<T>(x.data<T>(), w.data<T>(), bias.defined() ? bias.data<T>() : nullptr, y.data<T>(), lifted);
  });
  return y;
}

NDArray convBackwardData(const NDArray& dy, const NDArray& w, const Shape& xShape, const ConvGeometry& geometry) {
  NDArray dx = NDArray::empty(xShape, dy.dtype(), MemoryOrder::ChannelsLast);
  const Lifted lifted(xShape, w.shape(), dy.shape(), geometry);
  forFloating(dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    backwardData<T>(dy.data<T>(), w.data<T>(), dx.data<T>(), lifted);
  });
  return dx;
}

NDArray convBackwardWeights(const NDArray& dy, const NDArray& x, const Shape& wShape, const ConvGeometry& geometry) {
  NDArray dw = NDArray::empty(wShape, dy.dtype());
  const Lifted lifted(x.shape(), wShape, dy.shape(), geometry);
  forFloating(dy.dtype(), [&](auto zero) {
    using T = decltype(zero);
    backwardWeights<T>(dy.data<T>(), x.data<T>(), dw.data<T>(), lifted);
  });
  return dw;
}

}  // namespace ember::core::reference
