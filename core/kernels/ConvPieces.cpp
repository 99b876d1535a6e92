#include <ember/core/kernels/ConvPieces.h>

#include <algorithm>

#include <ember/core/Memory.h>
#include <ember/core/Scope.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::core {
namespace {

/// Calls piece(first filter, end, first input channel, end, geometry) for one range of filters after the other.
template <class Piece>
void forEachPiece(i64 filters, const NDArray& w, const ConvGeometry& g, const Piece& piece) {
  const i64 inGroup = w.size(0) / g.groups;
  memory::Pieces pieces;
  for (i64 first = 0; first < w.size(0); first += filters) {
    const i64 end = std::min(first + filters, w.size(0));
    ConvGeometry part = g;
    if (g.groups == 1) {
      piece(first, end, 0, w.size(1), part);
    } else {
      const i64 firstGroup = first / inGroup, endGroup = end / inGroup;
      part.groups = endGroup - firstGroup;
      piece(first, end, firstGroup * w.size(1), endGroup * w.size(1), part);
    }
    pieces.next();
  }
}

}  // namespace

i64 filtersAtOnce(const NDArray& w, const ConvGeometry& g) {
  constexpr i64 mostBytes = i64{1} << 20;
  const i64 filters = w.size(0);
  if (!Unwatched::current() || w.bytes() <= mostBytes) return filters;
  if (g.groups > 1) return std::max<i64>(1, mostBytes / (w.bytes() / g.groups)) * (filters / g.groups);
  const i64 fitting = mostBytes / (w.bytes() / filters);
  return std::max<i64>(1, fitting < 16 ? fitting : fitting / 16 * 16);  // kernels take channels by 16
}

NDArray convInPieces(i64 filters, const NDArray& x, const NDArray& w, const Epilogue& e, const ConvGeometry& g,
                     const Shape& yShape) {
  const NDArray input = x.contiguous(MemoryOrder::ChannelsLast);
  const NDArray y = NDArray::empty(yShape, x.dtype(), MemoryOrder::ChannelsLast);
  forEachPiece(filters, w, g, [&](i64 first, i64 end, i64 firstIn, i64 endIn, const ConvGeometry& part) {
    NDArray place = y.slice(1, first, end);
    const NDArray bias = e.bias.defined() ? e.bias.slice(0, first, end) : e.bias;
    copyInto(place, conv(input.slice(1, firstIn, endIn), w.slice(0, first, end), bias, part), nullptr);
  });
  finish(y, e.residual, e.act);
  return y;
}

NDArray convBackwardDataInPieces(i64 filters, const NDArray& dy, const NDArray& w, const Shape& xShape,
                                 const ConvGeometry& g) {
  NDArray dx = NDArray::zeros(xShape, dy.dtype(), MemoryOrder::ChannelsLast);
  forEachPiece(filters, w, g, [&](i64 first, i64 end, i64 firstIn, i64 endIn, const ConvGeometry& part) {
    NDArray place = dx.slice(1, firstIn, endIn);  // several pieces add to one where there are no groups
    addInPlace(place, convBackwardData(dy.slice(1, first, end), w.slice(0, first, end), place.shape(), part), nullptr);
  });
  return dx;
}

}  // namespace ember::core
