#include <ember/autograd/ops/BatchNormInplace.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ember/autograd/Deferred.h>
#include <ember/autograd/Graph.h>
#include <ember/autograd/ops/BatchNormBackward.h>
#include <ember/core/Error.h>

namespace ember::autograd::batchnorm {

void checkInplaceInput(const Tensor& x) {
  settleWaiting();  // a convolution that reads x may wait
  const TensorImpl& impl = *x.impl();
  const auto refuse = [&](const std::string& what, const std::string& help) {
    throw StateError(op, "inplace cannot overwrite its input: " + what, {{"input", "x " + toString(x.shape())}}, help);
  };
  if (impl.array.storage()->external())
    refuse("it lies in the program's own memory (fromBlob)", "copy it first with clone(), or turn inplace off");
  if (!impl.opResult)
    refuse("it is a leaf, not the result of an operation", "turn inplace off where the input comes from outside");
  if (!impl.array.isDense(MemoryOrder::RowMajor) && !impl.array.isDense(MemoryOrder::ChannelsLast)) {
    refuse("it is a view with gaps or repeats", "turn inplace off, or copy the input with clone()");
  }
  if (impl.array.storage().use_count() > 1) {
    const bool kept = impl.node && !impl.node->savedOutputs.empty() &&
                      impl.node->savedOutputs[impl.output].first.storage() == impl.array.storage();
    if (kept)
      refuse(std::string(impl.node->op) + ", which made it, needs it in its own backward",
             "turn inplace off behind " + std::string(impl.node->op));
    refuse("other tensors share its memory (it is a view, or has one)",
           "turn inplace off, or copy the input with clone()");
  }
}

void checkInplaceRecorded(const Tensor& x, const BatchNormOptions& o) {
  if (x.dtype() == DType::BF16) {
    throw ValueError(op,
                     "inplace in training takes f32 or f64: bf16 is too coarse to rebuild the input from the output",
                     {}, "turn inplace off");
  }
  if (o.act == Act::ReLU || (o.act == Act::LeakyReLU && !(o.slope > 0))) {
    throw ValueError(op,
                     std::string("inplace in training takes act None or LeakyReLU with a positive slope: ") +
                         (o.act == Act::ReLU ? "ReLU" : "this LeakyReLU") +
                         " loses what it cuts, so the input cannot be rebuilt",
                     {{"slope", std::to_string(o.slope)}}, "use LeakyReLU, or turn inplace off");
  }
}

bool rebuildable(const Tensor& x, const Tensor& gamma, const Tensor& beta, const BatchNormOptions& o) {
  const bool isDouble = x.dtype() == DType::F64;
  const double eps =
      isDouble ? std::numeric_limits<double>::epsilon() : static_cast<double>(std::numeric_limits<float>::epsilon());
  const double smallest =
      isDouble ? std::numeric_limits<double>::min() : static_cast<double>(std::numeric_limits<float>::min());
  const double bound = isDouble ? 1e-12 : 1e-5, slope = o.act == Act::LeakyReLU ? std::min(1.0, o.slope) : 1;
  const std::size_t channels = static_cast<std::size_t>(gamma.defined()  ? gamma.numel()
                                                        : beta.defined() ? beta.numel()
                                                                         : 1);  // the slope alone
  const std::vector<double> w = gamma.defined() ? gamma.toVector<double>() : std::vector<double>(channels, 1);
  const std::vector<double> b = beta.defined() ? beta.toVector<double>() : std::vector<double>(channels, 0);
  for (std::size_t c = 0; c < channels; ++c) {
    const double scale = std::abs(w[c]) * slope;
    // Below smallest/eps, gamma·xh turns subnormal for ordinary xh. Written so that NaN refuses.
    if (!(scale >= smallest / eps && eps * (1 + std::abs(b[c] / w[c])) <= bound)) return false;
  }
  return true;
}

}  // namespace ember::autograd::batchnorm
