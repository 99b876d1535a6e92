#pragma once
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <dnnl.hpp>

#include <ember/core/NDArray.h>

/// oneDNN called as cheaply as it can be: primitives, memory objects and argument lists are made once, buffers come
/// from ember's allocator (the same alignment and huge pages), and a call goes through the C interface.
namespace bare {

using ember::i64;
using Tag = dnnl::memory::format_tag;
using Desc = dnnl::memory::desc;
using Sizes = dnnl::memory::dims;

inline Desc f32(const Sizes& sizes, Tag tag) { return {sizes, dnnl::memory::data_type::f32, tag}; }
/// Plain channels last for three to five sizes, else row-major.
inline Desc plain(const Sizes& sizes) {
  constexpr Tag tags[] = {Tag::undef, Tag::a, Tag::ab, Tag::acb, Tag::acdb, Tag::acdeb};
  return f32(sizes, tags[sizes.size()]);
}
inline Desc any(const Sizes& sizes) { return f32(sizes, Tag::any); }

/// Primitives that run one behind the other.
class Program {
 public:
  using Arguments = std::vector<std::pair<int, dnnl::memory>>;

  dnnl::memory memory(const Desc& desc) {
    buffers_.push_back(ember::core::NDArray::full({static_cast<i64>(desc.get_size())}, 0, ember::DType::U8));
    auto* data = static_cast<unsigned char*>(buffers_.back().raw());
    for (std::size_t i = 0; i + 4 <= desc.get_size(); i += 4) {
      const float value =
          static_cast<float>((i / 4 * 7) % 13) / 13.0F - 0.4F;  // denormal or equal numbers could flatter
      std::memcpy(data + i, &value, sizeof value);
    }
    return {desc, engine_, data};
  }
  void add(const dnnl::primitive& primitive, const Arguments& arguments) {
    Step step{primitive, {}, {}};
    for (const auto& [index, memory] : arguments) {
      step.memories.push_back(memory);
      step.list.push_back({index, memory.get()});
    }
    steps_.push_back(std::move(step));
  }
  void run() const {
    for (const Step& step : steps_)
      dnnl_primitive_execute(step.primitive.get(), stream_.get(), static_cast<int>(step.list.size()), step.list.data());
    dnnl_stream_wait(stream_.get());
  }
  const dnnl::engine& engine() const { return engine_; }

 private:
  struct Step {
    dnnl::primitive primitive;
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> list;
  };
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<ember::core::NDArray> buffers_;
  std::vector<Step> steps_;
};

/// Forward and backward of one op.
struct Pair {
  Program forward, backward;
};
using Pairs = std::shared_ptr<Pair>;

/// y [m, n] = x [m, k] · w [n, k]^T + bias; backward: dx and dw as products, the bias's gradient as a reduction.
inline Pairs linear(i64 m, i64 k, i64 n) {
  auto p = std::make_shared<Pair>();
  const auto product = [](Program& at, const Desc& a, const Desc& b, const Desc& y, bool bias) {
    const Desc perColumn = f32({1, y.dims()[1]}, Tag::ab);
    const dnnl::matmul::primitive_desc made(bias ? dnnl::matmul::desc(a, b, perColumn, y) : dnnl::matmul::desc(a, b, y),
                                            at.engine());
    Program::Arguments arguments{
        {DNNL_ARG_SRC, at.memory(a)}, {DNNL_ARG_WEIGHTS, at.memory(b)}, {DNNL_ARG_DST, at.memory(y)}};
    if (bias) arguments.emplace_back(DNNL_ARG_BIAS, at.memory(perColumn));
    at.add(dnnl::matmul(made), arguments);
  };
  product(p->forward, f32({m, k}, Tag::ab), f32({k, n}, Tag::ba), f32({m, n}, Tag::ab), true);
  product(p->backward, f32({m, n}, Tag::ab), f32({n, k}, Tag::ab), f32({m, k}, Tag::ab), false);
  product(p->backward, f32({n, m}, Tag::ba), f32({m, k}, Tag::ab), f32({n, k}, Tag::ab), false);
  const dnnl::reduction::primitive_desc sum(
      dnnl::reduction::desc(dnnl::algorithm::reduction_sum, f32({m, n}, Tag::ab), f32({1, n}, Tag::ab), 0, 0),
      p->backward.engine());
  p->backward.add(dnnl::reduction(sum), {{DNNL_ARG_SRC, p->backward.memory(f32({m, n}, Tag::ab))},
                                         {DNNL_ARG_DST, p->backward.memory(f32({1, n}, Tag::ab))}});
  return p;
}

/// Stride 1, data channels last, weights as oneDNN wants them; backward: data, then weights with the bias.
inline Pairs conv(const Sizes& x, const Sizes& w, i64 pad) {
  auto p = std::make_shared<Pair>();
  Sizes y{x[0], w[0]};
  for (std::size_t i = 2; i < x.size(); ++i) y.push_back(x[i] + 2 * pad - w[i] + 1);
  const Sizes ones(x.size() - 2, 1), pads(x.size() - 2, pad);
  const Desc dx = plain(x), dy = plain(y), bias = f32({w[0]}, Tag::a);
  const auto direct = dnnl::algorithm::convolution_direct;
  const dnnl::convolution_forward::primitive_desc forward(
      dnnl::convolution_forward::desc(dnnl::prop_kind::forward_training, direct, dx, any(w), bias, dy, ones, pads,
                                      pads),
      p->forward.engine());
  Program& f = p->forward;
  f.add(dnnl::convolution_forward(forward), {{DNNL_ARG_SRC, f.memory(dx)},
                                             {DNNL_ARG_WEIGHTS, f.memory(forward.weights_desc())},
                                             {DNNL_ARG_BIAS, f.memory(bias)},
                                             {DNNL_ARG_DST, f.memory(dy)}});
  Program& b = p->backward;
  const dnnl::convolution_backward_data::primitive_desc data(
      dnnl::convolution_backward_data::desc(direct, dx, any(w), dy, ones, pads, pads), b.engine(), forward);
  b.add(dnnl::convolution_backward_data(data), {{DNNL_ARG_DIFF_SRC, b.memory(dx)},
                                                {DNNL_ARG_WEIGHTS, b.memory(data.weights_desc())},
                                                {DNNL_ARG_DIFF_DST, b.memory(dy)}});
  const dnnl::convolution_backward_weights::primitive_desc weights(
      dnnl::convolution_backward_weights::desc(direct, dx, any(w), bias, dy, ones, pads, pads), b.engine(), forward);
  b.add(dnnl::convolution_backward_weights(weights), {{DNNL_ARG_SRC, b.memory(dx)},
                                                      {DNNL_ARG_DIFF_WEIGHTS, b.memory(weights.diff_weights_desc())},
                                                      {DNNL_ARG_DIFF_BIAS, b.memory(bias)},
                                                      {DNNL_ARG_DIFF_DST, b.memory(dy)}});
  return p;
}

/// Training, channels last.
inline Pairs batchNorm(const Sizes& x) {
  using Flags = dnnl::normalization_flags;
  auto p = std::make_shared<Pair>();
  const Desc data = plain(x), each = f32({x[1]}, Tag::a);
  const Flags flags = Flags::use_scale | Flags::use_shift;
  Program &f = p->forward, &b = p->backward;
  const dnnl::batch_normalization_forward::primitive_desc forward(
      dnnl::batch_normalization_forward::desc(dnnl::prop_kind::forward_training, data, 1e-5F, flags), f.engine());
  f.add(dnnl::batch_normalization_forward(forward), {{DNNL_ARG_SRC, f.memory(data)},
                                                     {DNNL_ARG_DST, f.memory(data)},
                                                     {DNNL_ARG_MEAN, f.memory(each)},
                                                     {DNNL_ARG_VARIANCE, f.memory(each)},
                                                     {DNNL_ARG_SCALE, f.memory(each)},
                                                     {DNNL_ARG_SHIFT, f.memory(each)}});
  const dnnl::batch_normalization_backward::primitive_desc backward(
      dnnl::batch_normalization_backward::desc(dnnl::prop_kind::backward, data, data, 1e-5F, flags), b.engine(),
      forward);
  b.add(dnnl::batch_normalization_backward(backward), {{DNNL_ARG_SRC, b.memory(data)},
                                                       {DNNL_ARG_DIFF_DST, b.memory(data)},
                                                       {DNNL_ARG_DIFF_SRC, b.memory(data)},
                                                       {DNNL_ARG_MEAN, b.memory(each)},
                                                       {DNNL_ARG_VARIANCE, b.memory(each)},
                                                       {DNNL_ARG_SCALE, b.memory(each)},
                                                       {DNNL_ARG_SHIFT, b.memory(each)},
                                                       {DNNL_ARG_DIFF_SCALE, b.memory(each)},
                                                       {DNNL_ARG_DIFF_SHIFT, b.memory(each)}});
  return p;
}

/// Windows of 2 that do not overlap, channels last.
inline Pairs pool(const Sizes& x, dnnl::algorithm algorithm) {
  auto p = std::make_shared<Pair>();
  Sizes y{x[0], x[1]};
  for (std::size_t i = 2; i < x.size(); ++i) y.push_back(x[i] / 2);
  const Sizes twos(x.size() - 2, 2), zeros(x.size() - 2, 0);
  const Desc dx = plain(x), dy = plain(y);
  Program &f = p->forward, &b = p->backward;
  const dnnl::pooling_forward::primitive_desc forward(
      dnnl::pooling_forward::desc(dnnl::prop_kind::forward_training, algorithm, dx, dy, twos, twos, zeros, zeros),
      f.engine());
  const dnnl::memory workspace = f.memory(forward.workspace_desc());
  f.add(dnnl::pooling_forward(forward),
        {{DNNL_ARG_SRC, f.memory(dx)}, {DNNL_ARG_DST, f.memory(dy)}, {DNNL_ARG_WORKSPACE, workspace}});
  f.run();  // fills the workspace, which the backward reads as places
  const dnnl::pooling_backward::primitive_desc backward(
      dnnl::pooling_backward::desc(algorithm, dx, dy, twos, twos, zeros, zeros), b.engine(), forward);
  b.add(dnnl::pooling_backward(backward),
        {{DNNL_ARG_DIFF_SRC, b.memory(dx)}, {DNNL_ARG_DIFF_DST, b.memory(dy)}, {DNNL_ARG_WORKSPACE, workspace}});
  return p;
}

inline Pairs relu(const Sizes& x) {
  auto p = std::make_shared<Pair>();
  const Desc data = plain(x);
  const auto kind = dnnl::algorithm::eltwise_relu;
  Program &f = p->forward, &b = p->backward;
  const dnnl::eltwise_forward::primitive_desc forward(
      dnnl::eltwise_forward::desc(dnnl::prop_kind::forward_training, kind, data, 0.0F), f.engine());
  f.add(dnnl::eltwise_forward(forward), {{DNNL_ARG_SRC, f.memory(data)}, {DNNL_ARG_DST, f.memory(data)}});
  const dnnl::eltwise_backward::primitive_desc backward(dnnl::eltwise_backward::desc(kind, data, data, 0.0F),
                                                        b.engine(), forward);
  b.add(dnnl::eltwise_backward(backward),
        {{DNNL_ARG_SRC, b.memory(data)}, {DNNL_ARG_DIFF_DST, b.memory(data)}, {DNNL_ARG_DIFF_SRC, b.memory(data)}});
  return p;
}

/// The backward of a sum passes its gradient on: nothing to run.
inline Pairs sum(const Sizes& x) {
  auto p = std::make_shared<Pair>();
  const Desc data = plain(x);
  Program& f = p->forward;
  const dnnl::binary::primitive_desc forward(dnnl::binary::desc(dnnl::algorithm::binary_add, data, data, data),
                                             f.engine());
  f.add(dnnl::binary(forward),
        {{DNNL_ARG_SRC_0, f.memory(data)}, {DNNL_ARG_SRC_1, f.memory(data)}, {DNNL_ARG_DST, f.memory(data)}});
  return p;
}

/// Over the last axis; the logarithm is the heart of cross-entropy.
inline Pairs softmax(i64 rows, i64 columns, bool logarithm) {
  auto p = std::make_shared<Pair>();
  const Desc data = f32({rows, columns}, Tag::ab);
  Program &f = p->forward, &b = p->backward;
  if (logarithm) {
    const dnnl::logsoftmax_forward::primitive_desc forward(
        dnnl::logsoftmax_forward::desc(dnnl::prop_kind::forward_training, data, 1), f.engine());
    f.add(dnnl::logsoftmax_forward(forward), {{DNNL_ARG_SRC, f.memory(data)}, {DNNL_ARG_DST, f.memory(data)}});
    const dnnl::logsoftmax_backward::primitive_desc backward(dnnl::logsoftmax_backward::desc(data, data, 1), b.engine(),
                                                             forward);
    b.add(dnnl::logsoftmax_backward(backward),
          {{DNNL_ARG_DST, b.memory(data)}, {DNNL_ARG_DIFF_DST, b.memory(data)}, {DNNL_ARG_DIFF_SRC, b.memory(data)}});
  } else {
    const dnnl::softmax_forward::primitive_desc forward(
        dnnl::softmax_forward::desc(dnnl::prop_kind::forward_training, data, 1), f.engine());
    f.add(dnnl::softmax_forward(forward), {{DNNL_ARG_SRC, f.memory(data)}, {DNNL_ARG_DST, f.memory(data)}});
    const dnnl::softmax_backward::primitive_desc backward(dnnl::softmax_backward::desc(data, data, 1), b.engine(),
                                                          forward);
    b.add(dnnl::softmax_backward(backward),
          {{DNNL_ARG_DST, b.memory(data)}, {DNNL_ARG_DIFF_DST, b.memory(data)}, {DNNL_ARG_DIFF_SRC, b.memory(data)}});
  }
  return p;
}

}  // namespace bare
