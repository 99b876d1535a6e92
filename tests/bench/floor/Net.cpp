#include "Net.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "Loops.h"

namespace bench::raw {

// Walks the workload; a convolution takes the norm and the ReLU behind it along, a linear layer its ReLU.
Net::Net(const Workload& workload, long batch, Settings settings)
    : workload_(workload), settings_(settings), parameters_(bench::parameters(workload)), labels_(labelValues(batch)) {
  using K = Layer::Kind;
  const auto& layers = workload_.layers;
  ValuePtr x = input(batch);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const auto followedBy = [&](K kind) {
      const bool yes = i + 1 < layers.size() && layers[i + 1].kind == kind;
      i += yes;
      return yes;
    };
    if (layer.kind == K::Conv) {
      const bool norm = followedBy(K::Norm), relu = followedBy(K::ReLU);
      x = convolution(x, {place_, norm ? normPlace_++ : -1, layer, relu});
      place_ += norm ? 3 : 1 + layer.bias;
    } else if (layer.kind == K::Residual) {
      x = residual(x, layer);
    } else if (layer.kind == K::MaxPool || layer.kind == K::GlobalAvgPool) {
      x = pool(x, layer.kind == K::MaxPool);
    } else if (layer.kind == K::Linear) {
      x = linear(x, layer, followedBy(K::ReLU));
      place_ += 2;
    } else if (layer.kind != K::Flatten) {  // which the linear layer does by its dims
      throw std::invalid_argument("a layer that the floor does not have");
    }
  }
  logits_ = x->view;
  if (settings_.training) {
    crossEntropy(x, batch);
    for (; !tape_.empty(); tape_.pop_back()) tape_.back()();
    program_.add(
        [this] {
          const auto arena = [this](Kind kind) { return reinterpret_cast<float*>(program_.arena(kind)); };
          sgd(arena(Kind::Parameter), arena(Kind::Momentum), arena(Kind::Gradient), settings_.lr,
              program_.arenaBytes(Kind::Parameter) / sizeof(float));
        },
        {});
  } else {
    program_.keep(logits_);
  }
  program_.finish();
  store(inputValues<float>(workload_, batch), input_);
  restart();
}

void Net::restart() {
  for (const auto& stored : stored_) store(stored->first, stored->view);
  std::fill_n(program_.arena(Kind::Momentum), program_.arenaBytes(Kind::Momentum), '\0');
  for (const auto& [mean, var] : running_) {
    std::fill_n(mean.floats(), mean.desc.dims()[0], 0.0F);
    std::fill_n(var.floats(), var.desc.dims()[0], 1.0F);
  }
}

// ---- parameters

Net::StoredPtr Net::parameter(const Desc& layout, std::vector<float> first) {
  auto stored = std::make_shared<Stored>();
  stored->view = program_.make(layout, Kind::Parameter);
  if (settings_.training) {  // at the same place of its arena
    stored->gradient = program_.make(layout, Kind::Gradient);
    program_.make(layout, Kind::Momentum);
  }
  stored->first = std::move(first);
  stored_.push_back(stored);
  return stored;
}

std::vector<float> Net::initial(long place) const {
  return initialValues<float>(parameters_[static_cast<std::size_t>(place)], static_cast<std::size_t>(place));
}

Net::StoredPtr Net::parameter(long place, const Desc& layout) { return parameter(layout, initial(place)); }

// y = gamma·(w*x - mean)/sqrt(var + eps) + beta = (w·s)*x + (beta - mean·s), s = gamma/sqrt(var + eps)
std::pair<std::vector<float>, std::vector<float>> Net::folded(const Filters& f) const {
  std::vector<float> weights = initial(f.place);
  if (f.normPlace < 0) return {weights, f.layer.bias ? initial(f.place + 1) : std::vector<float>()};
  const auto norm = static_cast<std::size_t>(f.normPlace);
  const std::vector<float> gamma = initial(f.place + 1), mean = runningMean<float>(norm, f.layer.out),
                           var = runningVar<float>(norm, f.layer.out);
  std::vector<float> bias = initial(f.place + 2);
  const std::size_t perChannel = weights.size() / bias.size();
  for (std::size_t k = 0; k < bias.size(); ++k) {
    const float scale = gamma[k] / std::sqrt(var[k] + 1e-5F);
    bias[k] -= mean[k] * scale;
    for (std::size_t i = k * perChannel; i < (k + 1) * perChannel; ++i) weights[i] *= scale;
  }
  return {weights, bias};
}

// ---- the ends

// 1-d data are 2-d data of height 1. The batch lies row-major; a net that is channels last reorders it in each step,
// unless its one channel makes both the same.
ValuePtr Net::input(long batch) {
  Dims dims{batch};
  for (const long size : workload_.input) dims.push_back(size);
  if (dims.size() == 3) dims.insert(dims.begin() + 2, 1);
  const Tag rowMajor = dims.size() == 2 ? Tag::ab : dims.size() == 4 ? Tag::abcd : Tag::abcde;
  const Tag channelsLast = dims.size() == 4 ? Tag::acdb : Tag::acdeb;
  input_ = program_.make(f32(dims, rowMajor), Kind::Kept);
  auto x = std::make_shared<Value>(Value{input_, false});
  if (dims.size() > 2 && settings_.channelsLast) {
    if (dims[1] == 1)
      x->view.desc = f32(dims, channelsLast);
    else
      x->view = program_.reordered(input_, f32(dims, channelsLast));
  }
  return x;
}

void Net::crossEntropy(const ValuePtr& logits, long batch) {
  const View y = logits->view, d = program_.make(y.desc);
  program_.add(
      [this, y, d, batch] { loss_ = raw::crossEntropy(y.floats(), labels_.data(), d.floats(), batch, classes); },
      {y, d});
  logits->gradients = {d};
}

}  // namespace bench::raw
