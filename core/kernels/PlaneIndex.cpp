#include <ember/core/kernels/PlaneIndex.h>

#include <algorithm>
#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/AdaptiveBins.h>

// Planes are row-major here, one after another; a thread owns whole planes, so sums have one order.

namespace ember::core {
namespace {

i64 planeSize(const Shape& shape) {
  i64 size = 1;
  for (int i = 2; i < shape.rank(); ++i) size = checkedMul(size, shape[i]);
  return size;
}

i64 grainOf(i64 plane) { return std::max<i64>(1, 16384 / std::max<i64>(1, plane)); }

[[noreturn]] void refuse(const char* op, i64 index, i64 plane) {
  throw ValueError(op, "index " + std::to_string(index) + " is outside a plane of " + std::to_string(plane), {},
                   "indices count the elements of one plane of the result, row-major, from 0");
}

/// f(index, place of the element among all, first element of the plane of `size`) for every element, in parallel.
template <class F>
void forPlanes(const NDArray& index, i64 size, const char* op, F&& f) {
  const i64 plane = planeSize(index.shape()), planes = index.numel() / std::max<i64>(1, plane);
  const i64* indices = index.data<i64>();
  parallelFor(planes, grainOf(plane), [&](i64 begin, i64 end) {
    for (i64 at = begin * plane; at < end * plane; ++at) {
      const i64 place = indices[at];
      if (place < -1 || place >= size) refuse(op, place, size);
      f(place, at, at / plane * size);
    }
  });
}

template <class F>
void dispatchFloat(DType dtype, F&& f) {
  if (dtype == DType::F64) {
    f(double{0});
  } else {
    f(float{0});
  }
}

template <class T>
void findBins(const T* x, i64* out, i64 planes, const std::array<i64, 3>& in, const std::array<i64, 3>& size) {
  const i64 plane = in[0] * in[1] * in[2], bins = size[0] * size[1] * size[2];
  parallelFor(planes, grainOf(plane), [&](i64 begin, i64 end) {
    for (i64 p = begin; p < end; ++p) {
      const T* data = x + p * plane;
      for (i64 b = 0; b < bins; ++b) {
        const AdaptiveBin d(b / (size[1] * size[2]), in[0], size[0]), h(b / size[2] % size[1], in[1], size[1]),
            w(b % size[2], in[2], size[2]);
        i64 best = (d.begin * in[1] + h.begin) * in[2] + w.begin;
        for (i64 i = d.begin; i < d.end; ++i) {
          for (i64 j = h.begin; j < h.end; ++j) {
            for (i64 k = w.begin; k < w.end; ++k) {
              const i64 at = (i * in[1] + j) * in[2] + k;
              const bool nan = data[at] != data[at] && data[best] == data[best];
              if (data[at] > data[best] || nan) best = at;
            }
          }
        }
        out[p * bins + b] = best;
      }
    }
  });
}

}  // namespace

NDArray planeGather(const NDArray& x, const NDArray& index, const char* op) {
  const NDArray source = x.contiguous(), places = index.contiguous();
  const NDArray y = NDArray::empty(index.shape(), x.dtype());
  dispatchFloat(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = source.data<T>();
    T* to = y.data<T>();
    forPlanes(places, planeSize(x.shape()), op,
              [&](i64 place, i64 at, i64 plane) { to[at] = place < 0 ? T(0) : from[plane + place]; });
  });
  return y;
}

NDArray planeScatter(const NDArray& x, const NDArray& index, const Shape& shape, const char* op) {
  const NDArray source = x.contiguous(), places = index.contiguous();
  const NDArray y = NDArray::zeros(shape, x.dtype());
  dispatchFloat(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* from = source.data<T>();
    T* to = y.data<T>();
    forPlanes(places, planeSize(shape), op, [&](i64 place, i64 at, i64 plane) {
      if (place >= 0) to[plane + place] += from[at];
    });
  });
  return y;
}

NDArray lastAtEachPlace(const NDArray& index, const Shape& shape, const char* op) {
  const NDArray places = index.contiguous(), result = NDArray::empty(index.shape(), DType::I64);
  const i64 size = planeSize(shape), plane = planeSize(index.shape());
  const i64* from = places.data<i64>();
  i64* to = result.data<i64>();
  parallelFor(index.numel() / std::max<i64>(1, plane), grainOf(plane), [&](i64 begin, i64 end) {
    std::vector<bool> taken(static_cast<std::size_t>(size));
    for (i64 p = begin; p < end; ++p) {
      std::fill(taken.begin(), taken.end(), false);
      for (i64 at = (p + 1) * plane - 1; at >= p * plane; --at) {
        if (from[at] < 0 || from[at] >= size) refuse(op, from[at], size);
        const auto place = static_cast<std::size_t>(from[at]);
        to[at] = taken[place] ? -1 : from[at];
        taken[place] = true;
      }
    }
  });
  return result;
}

NDArray binMaxIndices(const NDArray& x, const std::array<i64, 3>& size) {
  const NDArray source = x.contiguous();
  Shape shape{x.size(0), x.size(1)};
  std::array<i64, 3> in{1, 1, 1}, bins{1, 1, 1};
  const int spatial = x.rank() - 2;
  for (int i = 0; i < spatial; ++i) {
    const auto from = static_cast<std::size_t>(i), to = static_cast<std::size_t>(i + 3 - spatial);
    in[to] = x.size(2 + i), bins[to] = size[from];
    shape.push(size[from]);
  }
  const NDArray result = NDArray::empty(shape, DType::I64);
  if (result.numel() == 0) return result;
  dispatchFloat(x.dtype(), [&](auto zero) {
    findBins(source.data<decltype(zero)>(), result.data<i64>(), x.size(0) * x.size(1), in, bins);
  });
  return result;
}

}  // namespace ember::core
