// The floor: what raw oneDNN needs for a workload, called as well as it can be. See ../workloads/Child.h for how it is
// told what to do.
#include <chrono>

#include "../workloads/Child.h"
#include "Net.h"

extern "C" void omp_set_num_threads(int);

namespace {

class FloorSession : public bench::Session {
 public:
  explicit FloorSession(const bench::Options& o)
      : net_(o.workload, o.batch, {!o.infer, channelsLast(o), static_cast<float>(o.lr)}) {}
  void step() override { net_.run(); }
  double loss() override { return net_.loss(); }
  void restart() override { net_.restart(); }
  std::vector<double> logits() override {
    const std::vector<float> values = net_.logits();
    return {values.begin(), values.end()};
  }

 private:
  // The better one as measured, by 1 to 20 %: 1-d data, and the backward of a first 3-d convolution, for whose few
  // channels oneDNN's blocks have no kernel.
  static bool channelsLast(const bench::Options& o) {
    if (o.layout == "channels_last") return true;
    if (o.layout == "blocked") return false;
    if (!o.layout.empty()) throw std::invalid_argument("--layout is blocked or channels_last");
    return o.workload.spatial() == 1 || (o.workload.spatial() == 3 && !o.infer);
  }
  bench::raw::Net net_;
};

}  // namespace

int main(int argc, char** argv) {
  return bench::serve(argc, argv, [](const bench::Options& o) {
    if (o.f64) throw std::invalid_argument("oneDNN has no f64");
    omp_set_num_threads(o.threads);
    return std::make_unique<FloorSession>(o);
  });
}
