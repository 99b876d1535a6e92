#include <ember/core/kernels/Conv.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Simd.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNorm.h>
#include <ember/core/kernels/ConvPieces.h>
#include <ember/core/kernels/ProductChecks.h>
#include <ember/core/kernels/onednn/Convolution.h>
#include <ember/core/kernels/reference/Conv.h>
#include <ember/core/kernels/winograd/Convolution.h>

namespace ember {
namespace {
std::atomic<ConvAlgorithm> chosen{ConvAlgorithm::Auto};
}

void setConvAlgorithm(ConvAlgorithm algorithm) { chosen = algorithm; }
ConvAlgorithm convAlgorithm() { return chosen; }

}  // namespace ember

namespace ember::core {
namespace {

const char* opName(const ConvGeometry& g) { return g.spatial == 1 ? "conv1d" : g.spatial == 3 ? "conv3d" : "conv2d"; }

std::string layout(int spatial) {
  return spatial == 1 ? "[N, C, L]" : spatial == 3 ? "[N, C, D, H, W]" : "[N, C, H, W]";
}

/// "3x5" of the first `spatial` entries.
std::string joined(const std::array<i64, 3>& values, int spatial) {
  std::string text;
  for (int i = 0; i < spatial; ++i) text += (i > 0 ? "x" : "") + std::to_string(values[static_cast<std::size_t>(i)]);
  return text;
}

void checkOptions(const ConvGeometry& g, const char* op) {
  const auto atLeast = [&](const char* what, const std::array<i64, 3>& values, i64 least) {
    for (int i = 0; i < g.spatial; ++i) {
      const i64 value = values[static_cast<std::size_t>(i)];
      if (value >= least) continue;
      throw ValueError(
          op, std::string(what) + " is " + std::to_string(value) + ", must be at least " + std::to_string(least),
          {{what, joined(values, g.spatial)}});
    }
  };
  atLeast("stride", g.stride, 1);
  atLeast("dilation", g.dilation, 1);
  atLeast("padding", g.padBefore, 0);
  atLeast("padding", g.padAfter, 0);
  if (g.groups < 1) throw ValueError(op, "groups is " + std::to_string(g.groups) + ", must be at least 1");
}

template <class Details>
void checkChannels(const Shape& x, const Shape& w, const ConvGeometry& g, const char* op, const Details& details) {
  const auto divides = [&](const char* what, i64 count) {
    if (count % g.groups == 0) return;
    throw ValueError(
        op, "groups = " + std::to_string(g.groups) + " does not divide the " + std::to_string(count) + " " + what,
        details(), "choose a number of groups that divides input channels and filters alike");
  };
  divides("input channels", x[1]);
  divides("filters", w[0]);
  const i64 expected = checkedMul(w[1], g.groups);
  if (x[1] != expected) {
    throw ShapeError(
        op, "input has " + std::to_string(x[1]) + " channels, filters expect " + std::to_string(expected), details(),
        "build the layer with " + std::to_string(x[1]) + " input channels, or " +
            (expected == 1 ? "convert the images to grey" : "give it " + std::to_string(expected)));
  }
}

/// dy must have the shape of conv(x, w).
Shape checkGradient(const NDArray& dy, const Shape& x, const Shape& w, const ConvGeometry& g) {
  const Shape y = convShape(x, w, g, opName(g));
  if (dy.shape() == y) return y;
  throw ShapeError(opName(g), "gradient has shape " + toString(dy.shape()) + ", the output has " + toString(y),
                   {{"input", toString(x)}, {"filters", toString(w)}});
}

double multiplyAdds(const Shape& y, const Shape& w) {
  double perOutput = 1;
  for (int i = 1; i < w.rank(); ++i) perOutput *= static_cast<double>(w[i]);
  return static_cast<double>(numel(y)) * perOutput;
}

/// Whether a fast kernel may run.
bool onKernels(DType dtype, i64 elements) {
  return dtype == DType::F32 && elements > 0 && convAlgorithm() != ConvAlgorithm::Reference;
}

void checkResidual(const char* op, const NDArray& residual, const Shape& y, const NDArray& x) {
  checkProductTypes(op, x, "x", residual, "residual");
  if (residual.shape() == y) return;
  throw ShapeError(op, "residual is " + toString(residual.shape()) + ", the output " + toString(y),
                   {{"input", "x " + toString(x.shape())}}, "project the residual to the shape of the output first");
}

/// Whether there is something to join that oneDNN's kernel may join.
bool mayFuse(const NDArray& x, const NDArray& w, const NDArray& bias, const Epilogue& e) {
  return (!e.act.none() || e.residual.defined()) && joinsExactly(e.act, {&w, &bias, &x, &e.residual});
}

/// Whether the kernel for few channels may take x as it lies: an image of the user's, row-major.
bool readsPlain(const ConvProblem& p, const NDArray& x, const Epilogue& e) {
  return plainPays(p) && x.isDense(MemoryOrder::RowMajor) && !e.residual.defined() &&
         !usesWinograd(p, ConvDirection::Forward, convAlgorithm());
}

/// Memory for y that holds the residual.
NDArray holding(const Epilogue& e) {
  const NDArray& residual = e.residual;
  if (!residual.isDense(MemoryOrder::ChannelsLast)) return residual.contiguous(MemoryOrder::ChannelsLast);
  return e.overwriteResidual ? residual : residual.copy();
}

NDArray byWinograd(const ConvProblem& p, const NDArray& x, const NDArray& w, const NDArray& bias, const Epilogue& e) {
  const NDArray residual = e.residual.defined() ? e.residual.contiguous(MemoryOrder::ChannelsLast) : e.residual;
  const bool inPlace = residual.defined() && (e.overwriteResidual || residual.storage() != e.residual.storage());
  const NDArray y = inPlace ? residual : NDArray::empty(p.y, x.dtype(), MemoryOrder::ChannelsLast);
  const bool relu = e.act.kind == FusedAct::Kind::Relu;
  const bool finite = relu && mayFuse(x, w, bias, e);
  BatchStatistics statistics;
  if (e.statistics && !bias.defined() && !residual.defined() && e.act.none() &&
      winograd::convForwardWithStatistics(p, x, w, y, statistics)) {
    keepStatistics(y, statistics);
    return y;
  }
  winograd::convForward(p, x, w, bias, residual, relu, y);
  if (!relu) finish(y, {}, e.act);
  if (finite) markFinite(y);
  return y;
}

/// total[j] += sum of the rows' element j: short f32 sums, added up in f64.
EMBER_SIMD void addRows(double* total, float* partial, const float* rows, i64 count, i64 width) {
  constexpr i64 block = 32;
  for (i64 start = 0; start < count; start += block) {
    for (i64 j = 0; j < width; ++j) partial[j] = 0;
    const i64 stop = start + block < count ? start + block : count;
    for (i64 row = start; row < stop; ++row) {
      for (i64 j = 0; j < width; ++j) partial[j] += rows[row * width + j];
    }
    for (i64 j = 0; j < width; ++j) total[j] += static_cast<double>(partial[j]);
  }
}
EMBER_SIMD void addRows(double* total, double*, const double* rows, i64 count, i64 width) {
  for (i64 row = 0; row < count; ++row) {
    for (i64 j = 0; j < width; ++j) total[j] += rows[row * width + j];
  }
}

template <class T>
void columnSums(const T* data, i64 rows, i64 width, T* sums) {
  // Pieces of a fixed size, whatever the thread count: so the sum does not depend on it.
  const i64 piece = std::max<i64>(256, (rows + 63) / 64), pieces = (rows + piece - 1) / piece;
  std::vector<double> totals(static_cast<std::size_t>(pieces * width));
  parallelFor(pieces, std::max<i64>(1, 16384 / std::max<i64>(1, piece * width)), [&](i64 begin, i64 end) {
    std::vector<T> partial(static_cast<std::size_t>(width));
    for (i64 i = begin; i < end; ++i) {
      addRows(totals.data() + i * width, partial.data(), data + i * piece * width, std::min(piece, rows - i * piece),
              width);
    }
  });
  for (i64 j = 0; j < width; ++j) {
    double sum = 0;
    for (i64 i = 0; i < pieces; ++i) sum += totals[static_cast<std::size_t>(i * width + j)];
    sums[j] = static_cast<T>(sum);
  }
}

}  // namespace

Shape convShape(const Shape& x, const Shape& w, const ConvGeometry& g, const char* op) {
  const auto details = [&] {
    return Error::Details{{"input", "x " + toString(x)},
                          {"filters", "w " + toString(w) + "      groups = " + std::to_string(g.groups)}};
  };
  const int rank = g.spatial + 2;
  if (x.rank() != rank) {
    throw ShapeError(op, "input has rank " + std::to_string(x.rank()) + ", expected " + layout(g.spatial), details(),
                     x.rank() == rank - 1 ? "add a batch axis of size 1 with unsqueeze(0)" : "");
  }
  if (w.rank() != rank) {
    throw ShapeError(op, "filters have rank " + std::to_string(w.rank()) + ", expected " + std::to_string(rank),
                     details(), "filters are [filters, input channels / groups, kernel sizes]");
  }
  checkOptions(g, op);
  checkChannels(x, w, g, op, details);

  Shape y{x[0], w[0]};
  std::array<i64, 3> kernel{}, padded{};
  bool fits = true;
  for (int i = 0; i < g.spatial; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    if (w[2 + i] < 1)
      throw ShapeError(op, "kernel size is " + std::to_string(w[2 + i]) + ", must be at least 1", details());
    kernel[axis] = checkedAdd(checkedMul(w[2 + i] - 1, g.dilation[axis]), 1);
    padded[axis] = checkedAdd(x[2 + i], checkedAdd(g.padBefore[axis], g.padAfter[axis]));
    fits = fits && kernel[axis] <= padded[axis];
    y.push((padded[axis] - kernel[axis]) / g.stride[axis] + 1);
  }
  if (!fits) {
    throw ShapeError(
        op, "kernel " + joined(kernel, g.spatial) + " is larger than the padded input " + joined(padded, g.spatial),
        details(), "pad more, use a smaller kernel or dilation, or pool less before this layer");
  }
  numel(y);  // throws if it overflows
  return y;
}

NDArray conv(const NDArray& x, const NDArray& w, const NDArray& bias, const ConvGeometry& g) {
  return fusedConv(x, w, {.bias = bias}, g);
}

NDArray fusedConv(const NDArray& x, const NDArray& w, const Epilogue& epilogue, const ConvGeometry& g) {
  const char* op = opName(g);
  const Shape yShape = convShape(x.shape(), w.shape(), g, op);
  checkProductTypes(op, x, "x", w, "w");
  checkBias(op, epilogue.bias, x, w);
  if (epilogue.residual.defined()) checkResidual(op, epilogue.residual, yShape, x);
  if (const i64 piece = filtersAtOnce(w, g); piece < w.size(0)) return convInPieces(piece, x, w, epilogue, g, yShape);
  const ComputeScope scope(multiplyAdds(yShape, w.shape()));
  const NDArray filters = w.contiguous();
  const NDArray offsets = epilogue.bias.defined() ? epilogue.bias.contiguous() : epilogue.bias;
  ConvProblem problem{x.shape(), w.shape(), yShape, g, offsets.defined()};
  const bool onKernel = onKernels(x.dtype(), std::min(x.numel(), numel(yShape)));
  if (onKernel && readsPlain(problem, x, epilogue)) {
    const bool fuses = mayFuse(x, filters, offsets, epilogue);
    problem.plainX = true;
    if (fuses) problem.act = epilogue.act;
    if (onednn::convRuns(problem)) {
      const NDArray y = NDArray::empty(yShape, x.dtype(), MemoryOrder::ChannelsLast);
      onednn::convForward(problem, x, filters, offsets, y);
      if (!fuses) finish(y, {}, epilogue.act);
      if (fuses && epilogue.act.kind == FusedAct::Kind::Relu) markFinite(y);
      return y;
    }
    problem.plainX = false;
    problem.act = {};
  }
  const NDArray input = x.contiguous(MemoryOrder::ChannelsLast);
  if (onKernel) {
    if (usesWinograd(problem, ConvDirection::Forward, convAlgorithm())) {
      return byWinograd(problem, input, filters, offsets, epilogue);
    }
    if (mayFuse(input, filters, offsets, epilogue)) {
      problem.addsToY = epilogue.residual.defined();
      problem.act = epilogue.act;
      const NDArray y = problem.addsToY ? holding(epilogue) : NDArray::empty(yShape, x.dtype(), MemoryOrder::ChannelsLast);
      if (onednn::convForward(problem, input, filters, offsets, y)) {
        if (epilogue.act.kind == FusedAct::Kind::Relu) markFinite(y);
        return y;
      }
      problem.addsToY = false;
      problem.act = {};
    }
    const NDArray y = NDArray::empty(yShape, x.dtype(), MemoryOrder::ChannelsLast);
    if (onednn::convForward(problem, input, filters, offsets, y)) {
      finish(y, epilogue.residual, epilogue.act);
      return y;
    }
  }
  const NDArray y = reference::conv(input, filters, offsets, yShape, g);
  finish(y, epilogue.residual, epilogue.act);
  return y;
}

NDArray convBackwardData(const NDArray& dy, const NDArray& w, const Shape& xShape, const ConvGeometry& g) {
  const Shape yShape = checkGradient(dy, xShape, w.shape(), g);
  checkProductTypes(opName(g), dy, "dy", w, "w");
  if (const i64 piece = filtersAtOnce(w, g); piece < w.size(0))
    return convBackwardDataInPieces(piece, dy, w, xShape, g);
  const ComputeScope scope(multiplyAdds(yShape, w.shape()));
  const NDArray gradient = dy.contiguous(MemoryOrder::ChannelsLast), filters = w.contiguous();
  if (onKernels(dy.dtype(), std::min(dy.numel(), numel(xShape)))) {
    const NDArray dx = NDArray::empty(xShape, dy.dtype(), MemoryOrder::ChannelsLast);
    const ConvProblem problem{xShape, w.shape(), yShape, g, false};
    if (usesWinograd(problem, ConvDirection::BackwardData, convAlgorithm())) {
      winograd::convBackwardData(problem, gradient, filters, dx);
      return dx;
    }
    if (onednn::convBackwardData(problem, gradient, filters, dx)) return dx;
  }
  return reference::convBackwardData(gradient, filters, xShape, g);
}

NDArray convBackwardWeights(const NDArray& dy, const NDArray& x, const Shape& wShape, const ConvGeometry& g) {
  const Shape yShape = checkGradient(dy, x.shape(), wShape, g);
  checkProductTypes(opName(g), dy, "dy", x, "x");
  const ComputeScope scope(multiplyAdds(yShape, wShape));
  const NDArray gradient = dy.contiguous(MemoryOrder::ChannelsLast), input = x.contiguous(MemoryOrder::ChannelsLast);
  if (onKernels(dy.dtype(), std::min(dy.numel(), x.numel()))) {
    const NDArray dw = NDArray::empty(wShape, dy.dtype());
    const ConvProblem problem{x.shape(), wShape, yShape, g, false};
    if (usesWinograd(problem, ConvDirection::BackwardWeights, convAlgorithm())) {
      winograd::convBackwardWeights(problem, gradient, input, dw);
      return dw;
    }
    if (onednn::convBackwardWeights(problem, gradient, input, dw)) return dw;
  }
  return reference::convBackwardWeights(gradient, input, wShape, g);
}

NDArray convBackwardBias(const NDArray& dy) {
  if (dy.rank() < 2)
    throw ShapeError("conv", "gradient has rank " + std::to_string(dy.rank()) + ", expected [N, C, ...]");
  checkProductTypes("conv", dy, "dy", dy, "dy");
  const ComputeScope scope;
  const NDArray gradient = dy.contiguous(MemoryOrder::ChannelsLast);
  const i64 width = dy.size(1), rows = width > 0 ? dy.numel() / width : 0;
  NDArray sums = NDArray::empty({width}, dy.dtype());
  if (dy.dtype() == DType::F64) {
    columnSums(gradient.data<double>(), rows, width, sums.data<double>());
  } else {
    columnSums(gradient.data<float>(), rows, width, sums.data<float>());
  }
  return sums;
}

}  // namespace ember::core
