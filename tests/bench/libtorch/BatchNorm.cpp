// libtorch's side of bench/BatchNorm: built on demand, `ninja bench_libtorch`.
#include <exception>

#include <torch/torch.h>

#include "../Peer.h"

namespace {

struct Net {
  torch::Tensor x, dy, gamma, beta, mean, var, y;

  void forward() { y = torch::relu(torch::batch_norm(x, gamma, beta, mean, var, true, 0.9, 1e-5, false)); }
  void backward() {
    torch::autograd::grad({y}, {x, gamma, beta}, {dy});
    y.reset();
  }
};

void* make(long n, long c, long h, long w, int bf16, int channelsLast, int threads) try {
  at::set_num_threads(threads);
  const auto type = bf16 ? torch::kBFloat16 : torch::kFloat32;
  const auto order = channelsLast ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  auto net = std::make_unique<Net>();
  net->x = torch::randn({n, c, h, w}).to(type).contiguous(order).requires_grad_();
  net->dy = torch::randn({n, c, h, w}).to(type).contiguous(order);
  // This version mixes no types: with bf16 data its parameters are bf16 too.
  net->gamma = torch::ones({c}, type).requires_grad_();
  net->beta = torch::zeros({c}, type).requires_grad_();
  net->mean = torch::zeros({c}, type);
  net->var = torch::ones({c}, type);
  net->forward();
  net->backward();
  return net.release();
} catch (const std::exception&) {
  return nullptr;
}

const BatchNormPeer peer{make, [](void* net) { static_cast<Net*>(net)->forward(); },
                         [](void* net) { static_cast<Net*>(net)->backward(); },
                         [](void* net) { delete static_cast<Net*>(net); }};

}  // namespace

extern "C" const BatchNormPeer* batchNormPeer() { return &peer; }
