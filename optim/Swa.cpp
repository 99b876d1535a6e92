#include <ember/optim/Swa.h>

#include <vector>

#include <ember/nn/layers/BatchNormND.h>

namespace ember::optim {
namespace {

// Eval mode for all but the batch norms to be estimated, for as long as it lives.
class Estimating {
 public:
  explicit Estimating(nn::Module& net) {
    for (const auto& entry : net.namedModules()) modes_.emplace_back(entry.second, entry.second->training());
    net.eval();
    for (const auto& mode : modes_) {
      auto* norm = dynamic_cast<nn::BatchNormND*>(mode.first);
      if (!norm || !norm->setCumulativeStats(true)) continue;
      norm->train();
      norms_.push_back(norm);
    }
  }
  ~Estimating() {
    for (nn::BatchNormND* norm : norms_) norm->setCumulativeStats(false);
    // Parents stand before their children, whose modes they set, too.
    for (const auto& mode : modes_) mode.first->train(mode.second);
  }
  Estimating(const Estimating&) = delete;
  Estimating& operator=(const Estimating&) = delete;
  i64 count() const { return static_cast<i64>(norms_.size()); }

 private:
  std::vector<std::pair<nn::Module*, bool>> modes_;
  std::vector<nn::BatchNormND*> norms_;
};

}  // namespace

i64 updateBatchNorm(nn::Module& net, const data::Loader& batches) {
  const NoGrad guard;
  const Estimating norms(net);
  if (norms.count() == 0) return 0;
  for (const data::Batch& batch : batches) (void)net(batch.images);
  return norms.count();
}

}  // namespace ember::optim
