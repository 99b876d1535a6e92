#include <ember/core/kernels/onednn/ConvPlan.h>

#include <utility>

#include <ember/core/Error.h>

namespace ember::core::onednn {
namespace {

using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;

// [N, C, L] -> [N, C, 1, L]: oneDNN's 1-D kernels are few, and a row of height 1 costs nothing.
Shape atLeast2D(Shape shape, int spatial) {
  if (spatial == 1) shape.insert(shape.rank() - 1, 1);
  return shape;
}

dnnl::memory::dims lifted(const std::array<i64, 3>& values, int spatial, i64 unused, i64 offset = 0) {
  dnnl::memory::dims result;
  if (spatial == 1) result.push_back(unused + offset);
  for (int i = 0; i < spatial; ++i) result.push_back(values[static_cast<std::size_t>(i)] + offset);
  return result;
}

/// The problem in oneDNN's terms.
struct Terms {
  dnnl::memory::dims x, w, y, stride, dilation, padBefore, padAfter;
  Tag channelsLast, rowMajor;

  explicit Terms(const ConvProblem& p) {
    const ConvGeometry& g = p.geometry;
    const int spatial = g.spatial;
    x = dims(atLeast2D(p.x, spatial));
    y = dims(atLeast2D(p.y, spatial));
    Shape filters = atLeast2D(p.w, spatial);
    if (g.groups > 1) {
      filters[0] /= g.groups;
      filters.insert(0, g.groups);
    }
    w = dims(filters);
    stride = lifted(g.stride, spatial, 1);
    dilation = lifted(g.dilation, spatial, 1, -1);  // oneDNN counts the gaps
    padBefore = lifted(g.padBefore, spatial, 0);
    padAfter = lifted(g.padAfter, spatial, 0);
    channelsLast = spatial == 3 ? Tag::ndhwc : Tag::nhwc;
    rowMajor = spatial == 3 ? (g.groups > 1 ? Tag::goidhw : Tag::oidhw) : (g.groups > 1 ? Tag::goihw : Tag::oihw);
  }
};

Desc f32(const dnnl::memory::dims& sizes, Tag tag) { return {sizes, dnnl::memory::data_type::f32, tag}; }

void setUp(ConvPlan& plan, const ConvProblem& p, ConvDirection direction) {
  const Terms t(p);
  // Blocks of 16 channels are channels last where there are 16.
  const bool volumes = p.geometry.spatial == 3;
  const Tag plain = volumes ? Tag::ncdhw : Tag::nchw, blocks = volumes ? Tag::nCdhw16c : Tag::nChw16c;
  const Desc x = f32(t.x, p.plainX ? plain : t.channelsLast), y = f32(t.y, p.plainX ? blocks : t.channelsLast),
             userW = f32(t.w, t.rowMajor), anyW = f32(t.w, Tag::any), bias = f32({p.y[1]}, Tag::x);
  const auto algorithm = dnnl::algorithm::convolution_direct;
  const auto attributes = direction == ConvDirection::Forward ? withEpilogue(p.act, p.addsToY) : userScratchpad();

  using Forward = dnnl::convolution_forward;
  const auto training = dnnl::prop_kind::forward_training;
  const auto forwardDesc =
      p.bias && direction == ConvDirection::Forward
          ? Forward::desc(training, algorithm, x, anyW, bias, y, t.stride, t.dilation, t.padBefore, t.padAfter)
          : Forward::desc(training, algorithm, x, anyW, y, t.stride, t.dilation, t.padBefore, t.padAfter);
  const Forward::primitive_desc forward(forwardDesc, attributes, engine());

  Desc w;
  if (direction == ConvDirection::Forward) {
    w = forward.weights_desc();
    std::vector<Primitive::Argument> arguments{{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, w}};
    if (p.bias) arguments.push_back({DNNL_ARG_BIAS, bias});
    arguments.push_back({DNNL_ARG_DST, y});
    plan.kernel = Primitive("convolution forward", Forward(forward), forward, std::move(arguments));
  } else if (direction == ConvDirection::BackwardData) {
    using Backward = dnnl::convolution_backward_data;
    const Backward::primitive_desc backward(
        Backward::desc(algorithm, x, anyW, y, t.stride, t.dilation, t.padBefore, t.padAfter), attributes, engine(),
        forward);
    w = backward.weights_desc();
    plan.kernel = Primitive("convolution backward data", Backward(backward), backward,
                            {{DNNL_ARG_DIFF_SRC, x}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DIFF_DST, y}});
  } else {
    using Backward = dnnl::convolution_backward_weights;
    const Backward::primitive_desc backward(
        Backward::desc(algorithm, x, anyW, y, t.stride, t.dilation, t.padBefore, t.padAfter), attributes, engine(),
        forward);
    w = backward.diff_weights_desc();
    plan.kernel = Primitive("convolution backward weights", Backward(backward), backward,
                            {{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_WEIGHTS, w}, {DNNL_ARG_DIFF_DST, y}});
  }
  if (plan.kernel.isReference()) return;

  if (direction != ConvDirection::BackwardWeights) {
    plan.weights = Packing(userW, w);
  } else if (w != userW) {
    plan.unpack = Primitive::reorder(w, userW);
    plan.packedBytes = w.get_size();
  }
  plan.usable = true;
}

}  // namespace

void ConvPlan::describe(std::vector<std::string>& names) const {
  if (!usable) return;
  for (const Primitive* primitive : {&kernel, &weights.pack, &unpack}) {
    if (*primitive) names.push_back(primitive->name());
  }
}

std::shared_ptr<const ConvPlan> convPlan(const ConvProblem& p, ConvDirection direction) {
  const ConvGeometry& g = p.geometry;
  Key key("conv");
  key.add(static_cast<i64>(direction)).add(p.bias).add(p.addsToY).add(p.plainX);
  key.add(static_cast<i64>(p.act.kind))
      .add(std::bit_cast<i64>(p.act.slope))
      .add(g.spatial)
      .add(g.groups)
      .add(p.x)
      .add(p.w);
  for (int i = 0; i < g.spatial; ++i) {
    const auto axis = static_cast<std::size_t>(i);
    key.add(g.stride[axis]).add(g.padBefore[axis]).add(g.padAfter[axis]).add(g.dilation[axis]);
  }
  return cached<ConvPlan>(key, [&] {
    auto plan = std::make_shared<ConvPlan>();
    try {
      setUp(*plan, p, direction);
    } catch (const dnnl::error& error) {
      if (error.status == dnnl_out_of_memory) throw OutOfMemory("conv", "oneDNN could not get memory for its kernel");
      // No such kernel: an unusable plan sends the caller elsewhere.
      plan->usable = false;
    }
    return plan;
  });
}

}  // namespace ember::core::onednn
