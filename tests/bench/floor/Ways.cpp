#include "Ways.h"

#include <algorithm>

namespace bench::raw {
namespace {

using dnnl::algorithm;
using dnnl::prop_kind;
using ConvForward = dnnl::convolution_forward;
using LinearForward = dnnl::inner_product_forward;

/// Collects the ways that exist, each once.
class Collection {
 public:
  /// `make` returns a Way, or throws if oneDNN has none such.
  template <class Make>
  void tryTo(Make&& make) {
    try {
      Way made = make();
      const auto same = [&](const Way& other) { return other.name == made.name && other.arguments == made.arguments; };
      if (std::none_of(ways_.begin(), ways_.end(), same)) ways_.push_back(std::move(made));
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented && error.status != dnnl_invalid_arguments) throw;
    }
  }
  std::vector<Way> take() { return std::move(ways_); }

 private:
  std::vector<Way> ways_;
};

/// Calls f(algorithm, keep) for all that is worth a try: on the layouts that are there (keep), and on oneDNN's own.
template <class F>
void forAll(F&& f) {
  for (const bool keep : {true, false}) {
    for (const algorithm a : {algorithm::convolution_direct, algorithm::convolution_winograd}) f(a, keep);
  }
}

Desc anyOf(const Desc& desc) { return f32(desc.dims()); }

ConvForward::primitive_desc forwardOf(const Conv& c, algorithm a, const Desc& x, const Desc& y,
                                      const dnnl::primitive_attr& attributes) {
  const auto kind = c.training ? prop_kind::forward_training : prop_kind::forward_inference;
  const Desc w = f32(c.w), bias = f32({c.w[0]}, Tag::a);
  const auto desc = c.bias ? ConvForward::desc(kind, a, x, w, bias, y, c.stride, c.padding, c.padding)
                           : ConvForward::desc(kind, a, x, w, y, c.stride, c.padding, c.padding);
  return {desc, attributes, engine()};
}

}  // namespace

std::vector<Way> forwardWays(const Conv& c, const Desc& x, const Desc& y, const dnnl::primitive_attr& post) {
  Collection ways;
  forAll([&](algorithm a, bool keep) {
    ways.tryTo([&] {
      const auto made = forwardOf(c, a, keep ? x : anyOf(x), keep ? y : anyOf(y), post);
      std::vector<std::pair<int, Desc>> arguments{
          {DNNL_ARG_SRC, made.src_desc()}, {DNNL_ARG_WEIGHTS, made.weights_desc()}, {DNNL_ARG_DST, made.dst_desc()}};
      if (c.bias) arguments.emplace_back(DNNL_ARG_BIAS, made.bias_desc());
      return way(ConvForward(made), made, arguments);
    });
  });
  return ways.take();
}

std::vector<Way> backwardDataWays(const Conv& c, const Desc& x, const Desc& w, const Desc& dy) {
  using Backward = dnnl::convolution_backward_data;
  Collection ways;
  forAll([&](algorithm a, bool keep) {
    ways.tryTo([&] {
      const Desc wantX = keep ? x : anyOf(x), wantY = keep ? dy : anyOf(dy), wantW = anyOf(w);
      const Backward::primitive_desc made(Backward::desc(a, wantX, wantW, wantY, c.stride, c.padding, c.padding),
                                          userScratchpad(), engine(), forwardOf(c, a, wantX, wantY, userScratchpad()));
      return way(Backward(made), made,
                 {{DNNL_ARG_DIFF_SRC, made.diff_src_desc()},
                  {DNNL_ARG_WEIGHTS, made.weights_desc()},
                  {DNNL_ARG_DIFF_DST, made.diff_dst_desc()}});
    });
  });
  return ways.take();
}

std::vector<Way> backwardWeightsWays(const Conv& c, const Desc& x, const Desc& w, const Desc& dy) {
  using Backward = dnnl::convolution_backward_weights;
  Collection ways;
  forAll([&](algorithm a, bool keep) {
    for (const Desc& wantW : {w, anyOf(w)}) {
      ways.tryTo([&] {
        const Desc wantX = keep ? x : anyOf(x), wantY = keep ? dy : anyOf(dy), bias = f32({c.w[0]}, Tag::a);
        const auto desc = c.bias ? Backward::desc(a, wantX, wantW, bias, wantY, c.stride, c.padding, c.padding)
                                 : Backward::desc(a, wantX, wantW, wantY, c.stride, c.padding, c.padding);
        const Backward::primitive_desc made(desc, userScratchpad(), engine(),
                                            forwardOf(c, a, wantX, wantY, userScratchpad()));
        std::vector<std::pair<int, Desc>> arguments{{DNNL_ARG_SRC, made.src_desc()},
                                                    {DNNL_ARG_DIFF_WEIGHTS, made.diff_weights_desc()},
                                                    {DNNL_ARG_DIFF_DST, made.diff_dst_desc()}};
        if (c.bias) arguments.emplace_back(DNNL_ARG_DIFF_BIAS, made.diff_bias_desc());
        return way(Backward(made), made, arguments);
      });
    }
  });
  return ways.take();
}

// ---- fully connected: any layout of the weights, the others as they are

namespace {

LinearForward::primitive_desc linearOf(const Desc& x, const Dims& w, const Desc& y, bool training,
                                       const dnnl::primitive_attr& attributes) {
  const auto kind = training ? prop_kind::forward_training : prop_kind::forward_inference;
  return {LinearForward::desc(kind, x, f32(w), f32({w[0]}, Tag::a), y), attributes, engine()};
}

}  // namespace

std::vector<Way> linearForwardWays(const Desc& x, const Dims& w, const Dims& y, bool training,
                                   const dnnl::primitive_attr& post) {
  Collection ways;
  for (const Desc& wantX : {x, anyOf(x)}) {
    ways.tryTo([&] {
      const auto made = linearOf(wantX, w, f32(y, Tag::ab), training, post);
      return way(LinearForward(made), made,
                 {{DNNL_ARG_SRC, made.src_desc()},
                  {DNNL_ARG_WEIGHTS, made.weights_desc()},
                  {DNNL_ARG_BIAS, made.bias_desc()},
                  {DNNL_ARG_DST, made.dst_desc()}});
    });
  }
  return ways.take();
}

std::vector<Way> linearBackwardDataWays(const Desc& x, const Desc& w, const Desc& dy) {
  using Backward = dnnl::inner_product_backward_data;
  Collection ways;
  for (const Desc& wantX : {x, anyOf(x)}) {
    for (const Desc& wantW : {w, anyOf(w)}) {
      ways.tryTo([&] {
        const Backward::primitive_desc made(Backward::desc(wantX, wantW, dy), userScratchpad(), engine(),
                                            linearOf(wantX, w.dims(), dy, true, userScratchpad()));
        return way(Backward(made), made,
                   {{DNNL_ARG_DIFF_SRC, made.diff_src_desc()},
                    {DNNL_ARG_WEIGHTS, made.weights_desc()},
                    {DNNL_ARG_DIFF_DST, made.diff_dst_desc()}});
      });
    }
  }
  return ways.take();
}

std::vector<Way> linearBackwardWeightsWays(const Desc& x, const Desc& w, const Desc& dy) {
  using Backward = dnnl::inner_product_backward_weights;
  Collection ways;
  for (const Desc& wantX : {x, anyOf(x)}) {
    for (const Desc& wantW : {w, anyOf(w)}) {
      ways.tryTo([&] {
        const Backward::primitive_desc made(Backward::desc(wantX, wantW, f32({w.dims()[0]}, Tag::a), dy),
                                            userScratchpad(), engine(),
                                            linearOf(wantX, w.dims(), dy, true, userScratchpad()));
        return way(Backward(made), made,
                   {{DNNL_ARG_SRC, made.src_desc()},
                    {DNNL_ARG_DIFF_WEIGHTS, made.diff_weights_desc()},
                    {DNNL_ARG_DIFF_BIAS, made.diff_bias_desc()},
                    {DNNL_ARG_DIFF_DST, made.diff_dst_desc()}});
      });
    }
  }
  return ways.take();
}

}  // namespace bench::raw
