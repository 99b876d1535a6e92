// The other layers of a Net: what each appends to the program, forward and (from the tape) backward.
#include <stdexcept>

#include "Loops.h"
#include "Net.h"

namespace bench::raw {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;

std::size_t floatsOf(const View& view) { return view.desc.get_size() / sizeof(float); }

}  // namespace

// In place, for the ReLU was a post-op: y's sign tells as much as its input's.
View Net::gradientOf(const ValuePtr& y, bool relu) {
  if (y->gradients.empty()) throw std::logic_error("a value without gradient");
  const View d = y->gradients[0];
  for (std::size_t i = 1; i < y->gradients.size(); ++i) {
    const View other = program_.reordered(y->gradients[i], d.desc);
    program_.add([d, other] { addTo(d.floats(), other.floats(), floatsOf(d)); }, {d, other});
  }
  if (relu) {
    using Forward = dnnl::eltwise_forward;
    using Backward = dnnl::eltwise_backward;
    const auto kind = algorithm::eltwise_relu_use_dst_for_bwd;
    const Forward::primitive_desc forward(Forward::desc(prop_kind::forward_training, kind, y->view.desc, 0),
                                          userScratchpad(), engine());
    const Backward::primitive_desc made(Backward::desc(kind, d.desc, y->view.desc, 0), userScratchpad(), engine(),
                                        forward);
    program_.add(way(Backward(made), made,
                     {{DNNL_ARG_DST, y->view.desc}, {DNNL_ARG_DIFF_DST, d.desc}, {DNNL_ARG_DIFF_SRC, d.desc}}),
                 {{DNNL_ARG_DST, y->view}, {DNNL_ARG_DIFF_DST, d}}, {{DNNL_ARG_DIFF_SRC, d}});
  }
  return d;
}

ValuePtr Net::batchNorm(const ValuePtr& x, long place, bool relu) {
  using Forward = dnnl::batch_normalization_forward;
  using Backward = dnnl::batch_normalization_backward;
  using Flags = dnnl::normalization_flags;
  const Desc data = x->view.desc, channel = f32({data.dims()[1]}, Tag::a);
  const Flags flags = Flags::use_scale | Flags::use_shift | (relu ? Flags::fuse_norm_relu : Flags::none);
  const Forward::primitive_desc forward(Forward::desc(prop_kind::forward_training, data, 1e-5F, flags),
                                        userScratchpad(), engine());
  const StoredPtr gamma = parameter(place, channel), beta = parameter(place + 1, channel);
  const View mean = program_.make(channel), var = program_.make(channel),
             workspace = program_.make(forward.workspace_desc());
  auto y = std::make_shared<Value>(Value{program_.make(data)});
  Way way = raw::way(Forward(forward), forward,
                     {{DNNL_ARG_SRC, data},
                      {DNNL_ARG_SCALE, channel},
                      {DNNL_ARG_SHIFT, channel},
                      {DNNL_ARG_MEAN, channel},
                      {DNNL_ARG_VARIANCE, channel},
                      {DNNL_ARG_WORKSPACE, workspace.desc},
                      {DNNL_ARG_DST, data}});
  Program::Arguments outputs{{DNNL_ARG_DST, y->view}, {DNNL_ARG_MEAN, mean}, {DNNL_ARG_VARIANCE, var}};
  if (relu) outputs.emplace_back(DNNL_ARG_WORKSPACE, workspace);
  program_.add(way, {{DNNL_ARG_SRC, x->view}, {DNNL_ARG_SCALE, gamma->view}, {DNNL_ARG_SHIFT, beta->view}}, outputs);

  running_.emplace_back(program_.make(channel, Kind::Kept), program_.make(channel, Kind::Kept));
  const auto [runningMean, runningVar] = running_.back();
  float count = 1;
  for (const auto size : data.dims()) count *= static_cast<float>(size);
  count /= static_cast<float>(data.dims()[1]);
  program_.add(
      [=, means = runningMean, vars = runningVar] {
        const std::size_t channels = floatsOf(mean);
        moveRunning(means.floats(), mean.floats(), 1, channels);
        moveRunning(vars.floats(), var.floats(), count / (count - 1), channels);
      },
      {mean, var});

  backward([=, this] {
    const View d = gradientOf(y);  // dx takes its place
    const Backward::primitive_desc made(Backward::desc(prop_kind::backward, data, data, 1e-5F, flags), userScratchpad(),
                                        engine(), forward);
    Program::Arguments inputs{{DNNL_ARG_SRC, x->view},      {DNNL_ARG_DIFF_DST, d},  {DNNL_ARG_SCALE, gamma->view},
                              {DNNL_ARG_SHIFT, beta->view},  // unused, but oneDNN counts it
                              {DNNL_ARG_MEAN, mean},        {DNNL_ARG_VARIANCE, var}};
    if (relu) inputs.emplace_back(DNNL_ARG_WORKSPACE, workspace);
    program_.add(
        raw::way(Backward(made), made,
                 {{DNNL_ARG_SRC, data},
                  {DNNL_ARG_DIFF_DST, data},
                  {DNNL_ARG_SCALE, channel},
                  {DNNL_ARG_SHIFT, channel},
                  {DNNL_ARG_MEAN, channel},
                  {DNNL_ARG_VARIANCE, channel},
                  {DNNL_ARG_WORKSPACE, workspace.desc},
                  {DNNL_ARG_DIFF_SRC, data},
                  {DNNL_ARG_DIFF_SCALE, channel},
                  {DNNL_ARG_DIFF_SHIFT, channel}}),
        inputs,
        {{DNNL_ARG_DIFF_SRC, d}, {DNNL_ARG_DIFF_SCALE, gamma->gradient}, {DNNL_ARG_DIFF_SHIFT, beta->gradient}});
    x->gradients.push_back(d);
  });
  return y;
}

// y takes the memory of the norm's result, which no backward reads.
ValuePtr Net::addRelu(const ValuePtr& norm, const ValuePtr& addend) {
  const View result = norm->view, other = program_.reordered(addend->view, result.desc);
  program_.add([=] { raw::addRelu(result.floats(), other.floats(), floatsOf(result)); }, {result, other});
  auto y = std::make_shared<Value>(Value{result});
  backward([=, this] {
    // Both branches get the same gradient in memory of their own, for each is overwritten by its next layer.
    const bool sum = y->gradients.size() == 2;
    const View a = sum ? y->gradients[0] : gradientOf(y);
    const View b = sum ? program_.reordered(y->gradients[1], a.desc) : program_.make(a.desc);
    program_.add([=] { addReluBackward(result.floats(), a.floats(), b.floats(), sum, floatsOf(a)); }, {result, a, b});
    norm->gradients.push_back(a);
    addend->gradients.push_back(b);
  });
  return y;
}

ValuePtr Net::residual(const ValuePtr& x, const Layer& layer) {
  const std::vector<Layer> parts = bench::residual(layer);
  const bool projected = parts.size() > 4;
  ValuePtr shortcut = x;
  if (projected) shortcut = convolution(x, {place_ + 6, normPlace_ + 2, parts[4], false});
  const ValuePtr middle = convolution(x, {place_, normPlace_, parts[0], true});
  const ValuePtr y = convolution(middle, {place_ + 3, normPlace_ + 1, parts[2], true}, shortcut);
  place_ += projected ? 9 : 6;
  normPlace_ += projected ? 3 : 2;
  return y;
}

ValuePtr Net::pool(const ValuePtr& x, bool max) {
  using Forward = dnnl::pooling_forward;
  using Backward = dnnl::pooling_backward;
  const Desc data = x->view.desc;
  Dims kernel, stride, none, dims{data.dims()[0], data.dims()[1]};
  for (std::size_t axis = 2; axis < data.dims().size(); ++axis) {
    const auto size = data.dims()[axis];
    kernel.push_back(!max ? size : size == 1 ? 1 : 2);
    stride.push_back(max ? kernel.back() : 1);
    none.push_back(0);
    dims.push_back((size - kernel.back()) / stride.back() + 1);
  }
  const auto kind = max ? algorithm::pooling_max : algorithm::pooling_avg_exclude_padding;
  const auto direction = settings_.training ? prop_kind::forward_training : prop_kind::forward_inference;
  const Forward::primitive_desc forward(Forward::desc(direction, kind, data, f32(dims), stride, kernel, none, none),
                                        userScratchpad(), engine());
  const Desc result = forward.dst_desc();
  const View workspace = program_.make(forward.workspace_desc()), pooled = program_.make(result);
  std::vector<std::pair<int, Desc>> layouts{{DNNL_ARG_SRC, data}, {DNNL_ARG_DST, result}};
  Program::Arguments outputs{{DNNL_ARG_DST, pooled}};
  const bool marks = max && settings_.training;
  if (marks) {
    layouts.emplace_back(DNNL_ARG_WORKSPACE, workspace.desc);
    outputs.emplace_back(DNNL_ARG_WORKSPACE, workspace);
  }
  program_.add(way(Forward(forward), forward, layouts), {{DNNL_ARG_SRC, x->view}}, outputs);

  // One pixel of all channels is a row, whatever the layout was: a linear layer on rows has the better kernels.
  auto y = std::make_shared<Value>(Value{pooled});
  if (!max) y->view.desc = f32({dims[0], dims[1]}, Tag::ab);
  backward([=, this] {
    View d = gradientOf(y);
    d.desc = result;
    const Backward::primitive_desc made(Backward::desc(kind, data, result, stride, kernel, none, none),
                                        userScratchpad(), engine(), forward);
    x->gradients.push_back(program_.make(data));
    std::vector<std::pair<int, Desc>> wanted{{DNNL_ARG_DIFF_DST, result}, {DNNL_ARG_DIFF_SRC, data}};
    Program::Arguments inputs{{DNNL_ARG_DIFF_DST, d}};
    if (marks) {
      wanted.emplace_back(DNNL_ARG_WORKSPACE, workspace.desc);
      inputs.emplace_back(DNNL_ARG_WORKSPACE, workspace);
    }
    program_.add(way(Backward(made), made, wanted), inputs, {{DNNL_ARG_DIFF_SRC, x->gradients.back()}});
  });
  return y;
}

}  // namespace bench::raw
