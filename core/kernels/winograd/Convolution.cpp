#include <ember/core/kernels/winograd/Convolution.h>

#include <initializer_list>

#include <ember/core/Scope.h>
#include <ember/core/kernels/winograd/Winograd.h>

namespace ember::core::winograd {
namespace {

Geometry geometryOf(const ConvProblem& p) {
  return {p.x[0], p.x[2], p.x[3], p.x[1], p.y[2], p.y[3], p.y[1], p.geometry.padBefore[0], p.geometry.padBefore[1]};
}

/// Backward data is the convolution of dy with the filters rotated.
Geometry adjointOf(const ConvProblem& p) {
  return {
      p.x[0], p.y[2], p.y[3], p.y[1], p.x[2], p.x[3], p.x[1], 2 - p.geometry.padBefore[0], 2 - p.geometry.padBefore[1]};
}

std::shared_ptr<Storage> packed(const NDArray& w, Filters kind) {
  u64 key = 0x77696e6f;
  for (const i64 word : {static_cast<i64>(kind), w.offset(), w.size(0), w.size(1)}) {
    key = (key ^ static_cast<u64>(word)) * 0x9e3779b97f4a7c15;
  }
  if (auto kept = w.storage()->derived(key)) return kept;
  auto made = packFilters(w.data<float>(), w.size(0), w.size(1), kind, simd::level());
  if (!Unwatched::current()) w.storage()->setDerived(key, made);  // as in onednn/Packing.cpp
  return made;
}

}  // namespace

void convForward(const ConvProblem& p, const NDArray& x, const NDArray& w, const NDArray& bias, const NDArray& residual,
                 bool relu, const NDArray& y) {
  const After after{bias.defined() ? bias.data<float>() : nullptr,
                    residual.defined() ? residual.data<float>() : nullptr, relu};
  convolve(geometryOf(p), x.data<float>(), *packed(w, Filters::Forward), after, y.data<float>(), simd::level());
}

bool convForwardWithStatistics(const ConvProblem& p, const NDArray& x, const NDArray& w, const NDArray& y,
                               BatchStatistics& statistics) {
  const Geometry g = geometryOf(p);
  if (!givesStatistics(g, simd::level())) return false;
  statistics = {NDArray::empty({g.outChannels}, DType::F64), NDArray::empty({g.outChannels}, DType::F64)};
  convolveWithStatistics(g, x.data<float>(), *packed(w, Filters::Forward), y.data<float>(),
                         statistics.mean.data<double>(), statistics.var.data<double>(), simd::level());
  return true;
}

void convBackwardData(const ConvProblem& p, const NDArray& dy, const NDArray& w, const NDArray& dx) {
  convolve(adjointOf(p), dy.data<float>(), *packed(w, Filters::Rotated), {}, dx.data<float>(), simd::level());
}

void convBackwardWeights(const ConvProblem& p, const NDArray& dy, const NDArray& x, const NDArray& dw) {
  backwardWeights(geometryOf(p), x.data<float>(), dy.data<float>(), dw.data<float>(), simd::level());
}

}  // namespace ember::core::winograd
