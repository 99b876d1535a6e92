#pragma once
#include <string>
#include <utility>
#include <vector>

#include <ember/core/DType.h>

namespace ember::io {
struct Checkpoint;
}

namespace ember::optim {

/// The most epochs, batches or steps that a run may count: sums of two are 64-bit integers still.
inline constexpr i64 mostCount = i64{1} << 62;

/// Where a saved run stands: the plain numbers of its file.
struct RunFile {
  i64 epoch = 0, batch = 0, step = 0, samples = 0, correct = 0, programCalls = 0, averaged = 0, ranks = 1;
  double lossSum = 0;
  u64 seed = 0;
  std::vector<std::pair<std::string, i64>> streams;
};

/// Steps that `epoch` whole epochs and `batch` batches of another take.
i64 stepsOf(i64 epoch, i64 batch, i64 batchesPerEpoch, i64 accumulate);

/// Checks every field of a run that Trainer::save() writes: it is there, of its kind, in its range, and agrees with the
/// others (positions with the data, step counts with positions, sums with counts, the best epoch with the epochs done,
/// the sum of the random streams with each). Throws IoError that names file and field, says what was expected and
/// found: the file was changed by hand, or by a fault that its check sums cannot tell. Needs no net.
RunFile readRun(const std::string& path, const io::Checkpoint& file);

}  // namespace ember::optim
