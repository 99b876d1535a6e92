#include <ember/core/kernels/ConvPieces.h>

#include <algorithm>

#include <ember/core/Scope.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::core {

i64 filtersAtOnce(const NDArray& w, const ConvGeometry& g) {
  constexpr i64 mostBytes = i64{1} << 20;
  const i64 filters = w.size(0);
  if (!Unwatched::current() || g.groups > 1 || w.bytes() <= mostBytes) return filters;
  const i64 fitting = mostBytes / (w.bytes() / filters);
  return std::max<i64>(1, fitting < 16 ? fitting : fitting / 16 * 16);  // kernels take channels by 16
}

NDArray convInPieces(i64 filters, const NDArray& x, const NDArray& w, const Epilogue& e, const ConvGeometry& g,
                     const Shape& yShape) {
  const NDArray input = x.contiguous(MemoryOrder::ChannelsLast);
  const NDArray y = NDArray::empty(yShape, x.dtype(), MemoryOrder::ChannelsLast);
  for (i64 first = 0; first < w.size(0); first += filters) {
    const i64 end = std::min(first + filters, w.size(0));
    NDArray place = y.slice(1, first, end);
    copyInto(place, conv(input, w.slice(0, first, end), e.bias.defined() ? e.bias.slice(0, first, end) : e.bias, g),
             nullptr);
  }
  finish(y, e.residual, e.act);
  return y;
}

NDArray convBackwardDataInPieces(i64 filters, const NDArray& dy, const NDArray& w, const Shape& xShape,
                                 const ConvGeometry& g) {
  NDArray dx;
  for (i64 first = 0; first < w.size(0); first += filters) {
    const i64 end = std::min(first + filters, w.size(0));
    const NDArray part = convBackwardData(dy.slice(1, first, end), w.slice(0, first, end), xShape, g);
    if (first == 0) {
      dx = part;
    } else {
      addInPlace(dx, part, nullptr);
    }
  }
  return dx;
}

}  // namespace ember::core
