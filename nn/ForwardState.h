#pragma once
#include <utility>
#include <vector>

#include <ember/nn/Module.h>

namespace ember::nn {

/// What a forward changes beside its result, as it was when this was made: the buffers of a net, the random call
/// counters of its modules, and that of the program. A step that fails puts them back, also where no memory is left.
class ForwardState {
 public:
  explicit ForwardState(Module& net);
  void putBack() noexcept;
  const Parameters& buffers() const noexcept { return buffers_; }

 private:
  std::vector<std::pair<i64*, i64>> counters_;
  i64 programCalls_;
  Parameters buffers_;
  Tensors values_;
};

}  // namespace ember::nn
