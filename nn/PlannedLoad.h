#pragma once
#include <string>
#include <utility>
#include <vector>

#include <ember/nn/Checkpoint.h>

namespace ember::nn {

/// A load that was checked and not yet done: the first of two phases. Lets a run check all it loads before it changes
/// anything.
class PlannedLoad {
 public:
  /// Checks the "param" and "buffer" tensors of a checkpoint against a net. `file` is named in errors. Throws IoError.
  PlannedLoad(const io::Checkpoint& checkpoint, Module& module, const LoadOptions& options, const std::string& file);
  /// Writes the values and gives the report away; takes no memory and does not fail.
  LoadReport commit();

 private:
  std::vector<std::pair<Tensor, Tensor>> writes_;  // target, values
  LoadReport report_;
};

}  // namespace ember::nn
