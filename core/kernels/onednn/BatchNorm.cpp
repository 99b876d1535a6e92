#include <ember/core/kernels/onednn/BatchNorm.h>

#include <bit>
#include <string>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNormRows.h>
#include <ember/core/kernels/onednn/Primitive.h>
#include <ember/core/kernels/onednn/PrimitiveCache.h>

namespace ember::core::onednn {
namespace {

constexpr const char* op = "batchNorm";

struct BatchNormPlan : Plan {
  Primitive kernel;
  void describe(std::vector<std::string>& names) const override { names.push_back(kernel.name()); }
};

void checkInput(const NDArray& x) {
  batchnorm::checkInput(x, op);
  if (x.dtype() == DType::F64) {
    throw DtypeError(op, "backend OneDNN computes in f32 and bf16, got f64", {{"input", describe("x", x)}},
                     "use backend Auto or Reference, or convert the input with to(DType::F32)");
  }
  if (x.rank() > 5) {
    throw ShapeError(op, "backend OneDNN takes ranks 2 to 5, got " + std::to_string(x.rank()),
                     {{"input", describe("x", x)}}, "use backend Auto, or reshape to [N, C, rest]");
  }
}

/// Channels-last data of any rank are rows of channels to oneDNN: [N, C, 1, inner].
dnnl::memory::desc rowsDesc(const NDArray& x) {
  const i64 n = x.size(0), channels = x.size(1);
  return {{n, channels, 1, x.numel() / (n * channels)}, dataType(x.dtype()), dnnl::memory::format_tag::nhwc};
}

std::shared_ptr<const BatchNormPlan> planOf(const NDArray& x, double epsilon, bool globalStats, bool backward) {
  // Thousands of epsilons are unlikely, so each is a plan of its own.
  Key key("bnorm");
  key.add(backward).add(globalStats).add(std::bit_cast<i64>(epsilon)).add(static_cast<i64>(x.dtype()));
  key.add(x.size(0)).add(x.size(1)).add(x.numel());
  return cached<BatchNormPlan>(key, [&] {
    using Forward = dnnl::batch_normalization_forward;
    using Backward = dnnl::batch_normalization_backward;
    using Flags = dnnl::normalization_flags;
    const dnnl::memory::desc data = rowsDesc(x);
    const dnnl::memory::desc perChannel({x.size(1)}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::x);
    const Flags flags = Flags::use_scale | Flags::use_shift | (globalStats ? Flags::use_global_stats : Flags::none);
    const float eps = static_cast<float>(epsilon);
    auto plan = std::make_shared<BatchNormPlan>();
    try {
      const Forward::primitive_desc forward(Forward::desc(dnnl::prop_kind::forward_training, data, eps, flags),
                                            userScratchpad(), engine());
      if (!backward) {
        plan->kernel = Primitive("batch norm forward", Forward(forward), forward,
                                 {{DNNL_ARG_SRC, data},
                                  {DNNL_ARG_SCALE, perChannel},
                                  {DNNL_ARG_SHIFT, perChannel},
                                  {DNNL_ARG_MEAN, perChannel},
                                  {DNNL_ARG_VARIANCE, perChannel},
                                  {DNNL_ARG_DST, data}});
        return plan;
      }
      const Backward::primitive_desc made(Backward::desc(dnnl::prop_kind::backward, data, data, eps, flags),
                                          userScratchpad(), engine(), forward);
      plan->kernel = Primitive("batch norm backward", Backward(made), made,
                               {{DNNL_ARG_SRC, data},
                                {DNNL_ARG_DIFF_DST, data},
                                {DNNL_ARG_SCALE, perChannel},
                                {DNNL_ARG_SHIFT, perChannel},  // unused, but oneDNN counts it
                                {DNNL_ARG_MEAN, perChannel},
                                {DNNL_ARG_VARIANCE, perChannel},
                                {DNNL_ARG_DIFF_SRC, data},
                                {DNNL_ARG_DIFF_SCALE, perChannel},
                                {DNNL_ARG_DIFF_SHIFT, perChannel}});
    } catch (const dnnl::error& error) {
      if (error.status == dnnl_out_of_memory) throw OutOfMemory(op, "oneDNN could not get memory for its kernel");
      throw DtypeError(op, "backend OneDNN has no kernel for this input: " + std::string(error.what()),
                       {{"input", describe("x", x)}}, "use backend Auto");
    }
    return plan;
  });
}

/// A dense f32 [C], `absent` everywhere if undefined.
NDArray floats(const NDArray& values, double absent, i64 channels) {
  return values.defined() ? values.to(DType::F32).contiguous() : NDArray::full({channels}, absent);
}

}  // namespace

BatchNormForward batchNormForward(const NDArray& x, const NDArray& gamma, const NDArray& beta, double epsilon,
                                  const NDArray& mean, const NDArray& var) {
  checkInput(x);
  const bool globalStats = mean.defined();
  if (!globalStats) batchnorm::checkStatisticsInput(x, op);
  const i64 channels = x.size(1);
  const NDArray dense = x.contiguous(MemoryOrder::ChannelsLast);
  BatchNormForward result{NDArray::empty(x.shape(), x.dtype(), MemoryOrder::ChannelsLast),
                          globalStats ? floats(mean, 0, channels) : NDArray::empty({channels}),
                          globalStats ? floats(var, 1, channels) : NDArray::empty({channels})};
  if (x.numel() == 0) return result;
  const ComputeScope scope;
  const NDArray scale = floats(gamma, 1, channels), shift = floats(beta, 0, channels);
  planOf(dense, epsilon, globalStats, false)
      ->kernel.run({dense.raw(), scale.raw(), shift.raw(), result.mean.raw(), result.var.raw(), result.y.raw()});
  return result;
}

BatchNormBackward batchNormBackward(const NDArray& x, const NDArray& dy, const NDArray& gamma, const NDArray& mean,
                                    const NDArray& var, double epsilon, bool globalStats) {
  checkInput(x);
  const i64 channels = x.size(1);
  const NDArray dense = x.contiguous(MemoryOrder::ChannelsLast), d = dy.contiguous(MemoryOrder::ChannelsLast);
  BatchNormBackward result{NDArray::empty(x.shape(), x.dtype(), MemoryOrder::ChannelsLast), NDArray::zeros({channels}),
                           NDArray::zeros({channels})};
  if (x.numel() == 0) return result;
  const ComputeScope scope;
  const NDArray scale = floats(gamma, 1, channels), m = floats(mean, 0, channels), v = floats(var, 1, channels);
  planOf(dense, epsilon, globalStats, true)
      ->kernel.run({dense.raw(), d.raw(), scale.raw(), scale.raw(), m.raw(), v.raw(), result.dx.raw(),
                    result.dgamma.raw(), result.dbeta.raw()});
  return result;
}

}  // namespace ember::core::onednn
