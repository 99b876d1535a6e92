// Batch norm with ReLU, forward and backward, of ember and of its peers. `BatchNorm --help` says how it measures.
#include <dlfcn.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <dnnl.hpp>

#include <ember/core/NDArray.h>
#include <ember/core/Random.h>
#include <ember/core/Simd.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/BatchNorm.h>

#include "Peer.h"

using namespace ember;
using namespace ember::core;

namespace {

constexpr const char* help = R"(usage: BatchNorm [--rounds N] [--burst N] [--quantile Q] [--only TEXT] [--residual yes]

Milliseconds of training batch norm with ReLU, forward + backward = both, for six shapes in f32 and bf16:
  ember            channels last, the kernels as the op calls them, y and dx from ember's allocator
  oneDNN           batch norm with fused ReLU and its workspace, all memory made before; blocked channels, channels
                   last, row-major
  libtorch         channels last, under autograd; only if bench_libtorch was built (ninja bench_libtorch)
The last column is ember's both over oneDNN's blocked. All take turns: a round gives each one pass unmeasured and
then a burst of measured ones (row-major one); the median of all is printed. Run it alone: another process spoils it.

  --rounds N       rounds for each shape (20)
  --burst N        measured passes of each in a round (5)
  --quantile Q     which quantile to print (0.5); a low one sees past other processes
  --only TEXT      only lines that contain it: 64x28, bf16
  --residual yes   relu(batchNorm(x) + residual), f32: oneDNN has no such primitive, so behind its batch norm a loop adds
                   and cuts in place, and one before its backward writes the gradient of both branches
)";

struct Options {
  int rounds = 20, burst = 5;
  double quantile = 0.5;
  std::string only;
  bool residual = false;
};

struct Problem {
  i64 n, c, h, w;
  DType dtype;
  bool residual = false;
  std::string name() const {
    char text[64];
    std::snprintf(text, sizeof text, "%lldx%lldx%lldx%lld %s", static_cast<long long>(n), static_cast<long long>(c),
                  static_cast<long long>(h), static_cast<long long>(w), dtype == DType::BF16 ? "bf16" : "f32");
    return text;
  }
};

/// One contestant on one problem.
struct Subject {
  std::function<void()> forward, backward;
  std::vector<double> forwardTimes{}, backwardTimes{}, bothTimes{};
};

NDArray normals(const Problem& p, u64 stream) {
  std::vector<float> values(static_cast<std::size_t>(p.n * p.c * p.h * p.w));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random::normal({1, stream, 0}, i));
  return NDArray::from<float>(values, {p.n, p.c, p.h, p.w}).contiguous(MemoryOrder::ChannelsLast).to(p.dtype);
}

Subject emberSubject(const Problem& p, const NDArray& x, const NDArray& dy) {
  struct State {
    NDArray x, dy, gamma, beta, y, residual;
    BatchNormSaved saved;
  };
  auto s = std::make_shared<State>();
  s->x = x, s->dy = dy;
  if (p.residual) s->residual = normals(p, 3);
  s->gamma = NDArray::full({p.c}, 1), s->beta = NDArray::full({p.c}, 0);
  const auto forward = [s] {
    const BatchStatistics statistics = batchStatistics(s->x);
    std::vector<double> invstd = statistics.var.toVector<double>();
    for (double& v : invstd) v = 1 / std::sqrt(v + 1e-5);
    const FusedAct act{FusedAct::Kind::Relu, 0};
    s->saved = {s->x,    {}, statistics.mean, NDArray::from<double>(invstd, statistics.mean.shape()), s->gamma,
                s->beta, act};
    s->y = normalize(s->x, s->saved.mean, s->saved.invstd, s->gamma, s->beta, act, {}, s->residual);
    if (s->residual.defined()) s->saved.y = s->y;
  };
  const auto backward = [s, p] {
    NDArray g = s->dy;
    const BatchNormSums sums = batchNormSums(s->dy, s->saved, p.residual ? &g : nullptr);
    if (p.residual) s->saved.act = {};
    const NDArray dx = batchNormInputGrad(g, s->saved, sums, p.n * p.h * p.w);
    s->y = s->saved.y = {};
  };
  return {forward, backward};
}

/// y = relu(y + r) and g = y > 0 ? dy : 0, as plain loops.
EMBER_SIMD void addAndCut(float* y, const float* r, i64 begin, i64 end) {
  for (i64 i = begin; i < end; ++i) y[i] = y[i] + r[i] > 0 ? y[i] + r[i] : 0;
}
EMBER_SIMD void cutGradient(float* g, const float* y, const float* dy, i64 begin, i64 end) {
  for (i64 i = begin; i < end; ++i) g[i] = y[i] > 0 ? dy[i] : 0;
}

Subject onednnSubject(const Problem& p, dnnl::memory::format_tag tag, const NDArray& x, const NDArray& dy) {
  using Forward = dnnl::batch_normalization_forward;
  using Backward = dnnl::batch_normalization_backward;
  using Flags = dnnl::normalization_flags;
  using Type = dnnl::memory::data_type;
  struct State {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    std::vector<NDArray> buffers;  // from ember's allocator: the same alignment and huge pages
    Forward forward;
    Backward backward;
    std::unordered_map<int, dnnl::memory> forwardArguments, backwardArguments;
    dnnl::memory make(const dnnl::memory::desc& desc) {
      buffers.push_back(NDArray::zeros({static_cast<i64>(desc.get_size())}, DType::U8));
      return {desc, engine, buffers.back().raw()};
    }
  };
  auto s = std::make_shared<State>();
  const dnnl::memory::dims dims{p.n, p.c, p.h, p.w};
  const Type type = p.dtype == DType::BF16 ? Type::bf16 : Type::f32;
  const dnnl::memory::desc data(dims, type, tag), plain(dims, type, dnnl::memory::format_tag::nhwc);
  const dnnl::memory::desc perChannel({p.c}, Type::f32, dnnl::memory::format_tag::x);
  const Flags scaled = Flags::use_scale | Flags::use_shift;
  const Flags flags = p.residual ? scaled : scaled | Flags::fuse_norm_relu;
  const Forward::primitive_desc forward(Forward::desc(dnnl::prop_kind::forward_training, data, 1e-5F, flags),
                                        s->engine);
  const Backward::primitive_desc backward(Backward::desc(dnnl::prop_kind::backward, data, data, 1e-5F, flags),
                                          s->engine, forward);
  s->forward = Forward(forward);
  s->backward = Backward(backward);
  const auto filled = [&](const NDArray& from) {
    dnnl::memory to = s->make(data);
    dnnl::memory source(plain, s->engine, from.raw());
    dnnl::reorder(source, to).execute(s->stream, source, to);
    s->stream.wait();
    return to;
  };
  const dnnl::memory source = filled(x), gradient = filled(dy), mean = s->make(perChannel), var = s->make(perChannel),
                     scale = s->make(perChannel), shift = s->make(perChannel),
                     workspace = s->make(forward.workspace_desc()), result = s->make(data), cut = s->make(data);
  std::fill_n(static_cast<float*>(scale.get_data_handle()), p.c, 1.0F);
  s->forwardArguments = {{DNNL_ARG_SRC, source},         {DNNL_ARG_DST, result},  {DNNL_ARG_MEAN, mean},
                         {DNNL_ARG_VARIANCE, var},       {DNNL_ARG_SCALE, scale}, {DNNL_ARG_SHIFT, shift},
                         {DNNL_ARG_WORKSPACE, workspace}};
  s->backwardArguments = {{DNNL_ARG_SRC, source},
                          {DNNL_ARG_DIFF_DST, p.residual ? cut : gradient},
                          {DNNL_ARG_DIFF_SRC, s->make(data)},
                          {DNNL_ARG_MEAN, mean},
                          {DNNL_ARG_VARIANCE, var},
                          {DNNL_ARG_SCALE, scale},
                          {DNNL_ARG_SHIFT, shift},
                          {DNNL_ARG_DIFF_SCALE, s->make(perChannel)},
                          {DNNL_ARG_DIFF_SHIFT, s->make(perChannel)},
                          {DNNL_ARG_WORKSPACE, workspace}};
  if (p.residual) {
    const dnnl::memory residual = filled(normals(p, 3));
    const auto floats = [](const dnnl::memory& m) { return static_cast<float*>(m.get_data_handle()); };
    const i64 count = p.n * p.c * p.h * p.w;
    return {[=] {
              s->forward.execute(s->stream, s->forwardArguments), s->stream.wait();
              parallelFor(count, 16384,
                          [&](i64 begin, i64 end) { addAndCut(floats(result), floats(residual), begin, end); });
            },
            [=] {
              parallelFor(count, 16384, [&](i64 begin, i64 end) {
                cutGradient(floats(cut), floats(result), floats(gradient), begin, end);
              });
              s->backward.execute(s->stream, s->backwardArguments), s->stream.wait();
            }};
  }
  return {[s] { s->forward.execute(s->stream, s->forwardArguments), s->stream.wait(); },
          [s] { s->backward.execute(s->stream, s->backwardArguments), s->stream.wait(); }};
}

/// libtorch's library beside this program, or null.
const BatchNormPeer* loadPeer(const char* program) {
  std::string path(program);
  path = path.substr(0, path.rfind('/') + 1) + "libbench_libtorch.so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return nullptr;
  const auto entry = reinterpret_cast<BatchNormPeerEntry>(dlsym(library, "batchNormPeer"));
  return entry ? entry() : nullptr;
}

std::optional<Subject> peerSubject(const BatchNormPeer* peer, const Problem& p) {
  if (!peer || p.residual) return {};
  void* made = peer->make(p.n, p.c, p.h, p.w, p.dtype == DType::BF16, 1, threads());
  if (!made) return {};
  const std::shared_ptr<void> net(made, peer->drop);
  return Subject{[net, peer] { peer->forward(net.get()); }, [net, peer] { peer->backward(net.get()); }};
}

double now() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void burst(Subject& s, int passes) {
  for (int i = -1; i < passes; ++i) {
    const double start = now();
    s.forward();
    const double middle = now();
    s.backward();
    const double end = now();
    if (i < 0) continue;  // brings the data back into the cache
    s.forwardTimes.push_back(middle - start);
    s.backwardTimes.push_back(end - middle);
    s.bothTimes.push_back(end - start);
  }
}

double quantileOf(std::vector<double> times, double quantile) {
  std::sort(times.begin(), times.end());
  return times[static_cast<std::size_t>(quantile * static_cast<double>(times.size() - 1))];
}

void measure(const Problem& p, const Options& options, const BatchNormPeer* peer) {
  using Tag = dnnl::memory::format_tag;
  const NDArray x = normals(p, 1), dy = normals(p, 2);
  const bool wide = __builtin_cpu_supports("avx512f");
  std::vector<std::optional<Subject>> subjects{
      emberSubject(p, x, dy), onednnSubject(p, wide ? Tag::nChw16c : Tag::nChw8c, x, dy),
      onednnSubject(p, Tag::nhwc, x, dy), onednnSubject(p, Tag::nchw, x, dy), peerSubject(peer, p)};
  for (int round = 0; round < options.rounds; ++round) {
    for (auto& s : subjects) {
      if (s) burst(*s, &s == &subjects[3] ? 1 : options.burst);  // row-major takes ten times as long
    }
  }
  std::printf("%-19s", p.name().c_str());
  for (const auto& s : subjects) {
    if (!s) {
      std::printf("%24s", "-");
      continue;
    }
    std::printf("  %6.3f +%6.3f =%6.3f", quantileOf(s->forwardTimes, options.quantile),
                quantileOf(s->backwardTimes, options.quantile), quantileOf(s->bothTimes, options.quantile));
  }
  std::printf("  %5.2f\n", quantileOf(subjects[0]->bothTimes, options.quantile) /
                               quantileOf(subjects[1]->bothTimes, options.quantile));
  std::fflush(stdout);
}

Options parse(int count, char** words) {
  Options options;
  for (int i = 1; i < count; i += 2) {
    const std::string word = words[i];
    const char* value = i + 1 < count ? words[i + 1] : nullptr;
    if (!value || word == "--help") {
      std::fputs(help, stdout);
      std::exit(word == "--help" ? 0 : 2);
    }
    if (word == "--rounds")
      options.rounds = std::max(1, std::atoi(value));
    else if (word == "--burst")
      options.burst = std::max(1, std::atoi(value));
    else if (word == "--quantile")
      options.quantile = std::clamp(std::atof(value), 0.0, 1.0);
    else if (word == "--only")
      options.only = value;
    else if (word == "--residual")
      options.residual = std::string(value) == "yes";
    else {
      std::fprintf(stderr, "BatchNorm: unknown option %s\n%s", word.c_str(), help);
      std::exit(2);
    }
  }
  return options;
}

}  // namespace

int main(int count, char** words) {
  const Options options = parse(count, words);
  const ComputeScope scope;  // one number of threads for all
  // libtorch takes its memory from malloc: let that keep big blocks, as ember's allocator does.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, -1);
  const BatchNormPeer* peer = loadPeer(words[0]);
  std::printf(
      "batch norm + ReLU, forward + backward = both, ms, quantile %.2f, %d threads\n%-19s%24s%24s%24s%24s%24s  %s\n",
      options.quantile, threads(), "", "ember", "oneDNN blocked", "oneDNN nhwc", "oneDNN nchw", "libtorch nhwc",
      "ember/blocked");
  const i64 shapes[][4] = {{128, 64, 28, 28}, {128, 32, 28, 28}, {128, 64, 14, 14},
                           {128, 128, 7, 7},  {128, 32, 16, 16}, {128, 64, 8, 8}};
  for (const DType dtype : {DType::F32, DType::BF16}) {
    for (const auto& s : shapes) {
      if (options.residual && dtype != DType::F32) continue;
      const Problem p{s[0], s[1], s[2], s[3], dtype, options.residual};
      if (p.name().find(options.only) != std::string::npos) measure(p, options, peer);
    }
  }
}
