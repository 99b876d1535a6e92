// Convolutions and fully connected layers of a Net, forward and (from the tape) backward.
#include "Net.h"
#include "Ways.h"

namespace bench::raw {
namespace {

dnnl::primitive_attr postOps(bool sum, bool relu) {
  dnnl::primitive_attr attributes = userScratchpad();
  dnnl::post_ops operations;
  if (sum) operations.append_sum(1.0F);
  if (relu) operations.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0, 0);
  attributes.set_post_ops(operations);
  return attributes;
}

}  // namespace

ValuePtr Net::convolution(const ValuePtr& x, const Filters& f, const ValuePtr& addend) {
  const bool norm = f.normPlace >= 0, training = settings_.training;
  // In training a norm is a layer of its own, with the ReLU; the residual addition comes behind it.
  const bool relu = f.relu && !(training && norm), sum = addend && !training;
  Conv c{x->view.desc.dims(), {f.layer.out, f.layer.in}, {x->view.desc.dims()[0], f.layer.out}, {}, {}};
  for (std::size_t axis = 2; axis < c.x.size(); ++axis) {
    const bool lifted = workload_.spatial() == 1 && axis == 2;  // the height 1 of 1-d data
    const long kernel = lifted ? 1 : f.layer.kernel, stride = lifted ? 1 : f.layer.stride;
    c.w.push_back(kernel);
    c.stride.push_back(stride);
    c.padding.push_back(kernel / 2);
    c.y.push_back((c.x[axis] + 2 * (kernel / 2) - kernel) / stride + 1);
  }
  c.bias = training ? f.layer.bias : norm || f.layer.bias;
  c.training = training;

  const Tag channelsLast = c.x.size() == 4 ? Tag::acdb : Tag::acdeb;
  const Desc freeY = f32(c.y, settings_.channelsLast ? channelsLast : Tag::any);
  const Desc wantY = sum ? addend->view.desc : freeY;
  std::vector<std::pair<int, Desc>> given{{DNNL_ARG_SRC, x->view.desc}};
  if (sum || settings_.channelsLast) given.emplace_back(DNNL_ARG_DST, wantY);
  std::vector<Way> ways = forwardWays(c, x->view.desc, wantY, postOps(sum, relu));
  // What is added to must not be reordered: it is read, too.
  if (sum) std::erase_if(ways, [&](const Way& w) { return w.desc(DNNL_ARG_DST) != wantY; });
  const Way way = fastest(std::move(ways), given);

  const auto [weights, bias] =
      training ? std::pair{initial(f.place), c.bias ? initial(f.place + 1) : std::vector<float>()} : folded(f);
  const StoredPtr w = parameter(way.desc(DNNL_ARG_WEIGHTS), weights);
  const StoredPtr b = c.bias ? parameter(f32({f.layer.out}, Tag::a), bias) : nullptr;
  const View result = sum                      ? addend->view
                      : settings_.channelsLast ? program_.make(wantY)
                                               : program_.make(way.desc(DNNL_ARG_DST));
  auto y = std::make_shared<Value>(Value{result});
  Program::Arguments inputs{{DNNL_ARG_SRC, x->view}, {DNNL_ARG_WEIGHTS, w->view}};
  if (c.bias) inputs.emplace_back(DNNL_ARG_BIAS, b->view);
  program_.add(way, inputs, {{DNNL_ARG_DST, y->view}});

  backward([this, c, x, y, w, b, relu] {
    const View dy = gradientOf(y, relu);
    const Desc& layoutX = x->view.desc;
    const Way toWeights =
        fastest(backwardWeightsWays(c, layoutX, w->view.desc, dy.desc),
                {{DNNL_ARG_SRC, layoutX}, {DNNL_ARG_DIFF_WEIGHTS, w->view.desc}, {DNNL_ARG_DIFF_DST, dy.desc}});
    Program::Arguments outputs{{DNNL_ARG_DIFF_WEIGHTS, w->gradient}};
    if (c.bias) outputs.emplace_back(DNNL_ARG_DIFF_BIAS, b->gradient);
    program_.add(toWeights, {{DNNL_ARG_SRC, x->view}, {DNNL_ARG_DIFF_DST, dy}}, outputs);
    if (!x->wantsGradient) return;
    const Way toData =
        fastest(backwardDataWays(c, layoutX, w->view.desc, dy.desc),
                {{DNNL_ARG_DIFF_SRC, layoutX}, {DNNL_ARG_WEIGHTS, w->view.desc}, {DNNL_ARG_DIFF_DST, dy.desc}});
    x->gradients.push_back(program_.make(layoutX));
    program_.add(toData, {{DNNL_ARG_WEIGHTS, w->view}, {DNNL_ARG_DIFF_DST, dy}},
                 {{DNNL_ARG_DIFF_SRC, x->gradients.back()}});
  });
  if (!training || !norm) return y;
  const ValuePtr normed = batchNorm(y, f.place + 1, f.relu && !addend);
  return addend ? addRelu(normed, addend) : normed;
}

ValuePtr Net::linear(const ValuePtr& x, const Layer& layer, bool relu) {
  const Desc data = x->view.desc;
  Dims weights = data.dims();
  weights[0] = layer.out;
  const Dims dims{data.dims()[0], layer.out};
  const Way way =
      fastest(linearForwardWays(data, weights, dims, settings_.training, postOps(false, relu)), {{DNNL_ARG_SRC, data}});
  const StoredPtr w = parameter(place_, way.desc(DNNL_ARG_WEIGHTS)), b = parameter(place_ + 1, way.desc(DNNL_ARG_BIAS));
  auto y = std::make_shared<Value>(Value{program_.make(way.desc(DNNL_ARG_DST))});
  program_.add(way, {{DNNL_ARG_SRC, x->view}, {DNNL_ARG_WEIGHTS, w->view}, {DNNL_ARG_BIAS, b->view}},
               {{DNNL_ARG_DST, y->view}});
  backward([=, this] {
    const View d = gradientOf(y, relu);
    const Way toWeights = fastest(linearBackwardWeightsWays(data, w->view.desc, d.desc),
                                  {{DNNL_ARG_SRC, data}, {DNNL_ARG_DIFF_WEIGHTS, w->view.desc}});
    program_.add(toWeights, {{DNNL_ARG_SRC, x->view}, {DNNL_ARG_DIFF_DST, d}},
                 {{DNNL_ARG_DIFF_WEIGHTS, w->gradient}, {DNNL_ARG_DIFF_BIAS, b->gradient}});
    if (!x->wantsGradient) return;
    const Way toData = fastest(linearBackwardDataWays(data, w->view.desc, d.desc),
                               {{DNNL_ARG_DIFF_SRC, data}, {DNNL_ARG_WEIGHTS, w->view.desc}});
    x->gradients.push_back(program_.make(data));
    program_.add(toData, {{DNNL_ARG_WEIGHTS, w->view}, {DNNL_ARG_DIFF_DST, d}},
                 {{DNNL_ARG_DIFF_SRC, x->gradients.back()}});
  });
  return y;
}

}  // namespace bench::raw
