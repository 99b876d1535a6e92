#pragma once
#include <optional>
#include <string>
#include <vector>

#include <ember/core/NDArray.h>
#include <ember/core/io/Value.h>
#include <ember/nn/Module.h>

namespace ember::io {
struct Checkpoint;
}

/// What Trainer::resume() asks of a file before it changes anything.
namespace ember::optim {

/// Throws StateError: the run in `path` cannot be gone on from, and why.
[[noreturn]] void refuseRun(const std::string& path, const std::string& what, const std::string& help);

/// Where a saved run and this one differ: each refuses the file, or is only listed where changes are accepted.
class RunDifferences {
 public:
  RunDifferences(std::string path, bool accept) : path_(std::move(path)), accept_(accept) {}
  void add(const std::string& what, const std::string& help);
  bool accepts() const noexcept { return accept_; }
  const std::vector<std::string>& list() const noexcept { return list_; }

 private:
  std::string path_;
  bool accept_;
  std::vector<std::string> list_;
};

/// The tensors of the file that belong to optimiser and average, in the order of `here`. Throws StateError that lists
/// all that is missing, unexpected or of another shape.
std::vector<core::NDArray> matchingTensors(const std::string& path, const nn::Parameters& here,
                                           const io::Checkpoint& file);

/// Throws IoError, naming the field, for numbers that no run can have written: a file changed by hand, or by a fault
/// that its check sums cannot tell.
void checkRunNumbers(const std::string& path, const io::Checkpoint& file);

/// Two data sets of one size are told apart by the sum over their samples (DataSum.h).
void compareDataSums(const std::string& path, const Value* saved, std::optional<u32> here, RunDifferences& differences);

/// Of "data", all but that sum.
Value withoutSum(const Value& data);

/// The saved state of an optimiser with the rates and options of the one that is here.
Value withRatesOf(const Value& here, const Value& saved);

/// Warns where threads, instruction set or oneDNN are not those that the file was written with: sums round otherwise.
void warnOfOtherMachine(const std::string& path, const Value& writer);

}  // namespace ember::optim
