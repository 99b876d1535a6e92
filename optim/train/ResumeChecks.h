#pragma once
#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/NDArray.h>
#include <ember/core/io/Value.h>
#include <ember/nn/Module.h>
#include <ember/optim/train/DataSum.h>
#include <ember/optim/train/RunFile.h>

namespace ember::io {
struct Checkpoint;
}

/// What Trainer::resume() asks of a file before it changes anything.
namespace ember::optim {

/// Throws StateError: the run in `path` cannot be gone on from, and why.
[[noreturn]] void refuseRun(const std::string& path, const std::string& what, const std::string& help);

/// Calls f, which takes over that field of the file; what it throws of its value names the file and the field.
template <class F>
void ofRun(const std::string& path, const std::string& field, F&& f) {
  try {
    f();
  } catch (const ValueError& error) {
    refuseRun(path, "\"" + field + "\" does not fit: " + error.headline(),
              "use the options of the saved run; if they are these the file is damaged: use an older one");
  }
}

/// How many processes train together; there is but one so far.
inline constexpr i64 ranksHere = 1;

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

/// Throws StateError for a random stream of the file that is no module's.
void checkStreamNames(const std::string& path, const RunFile& run, const nn::Module& net);

/// Two data sets of one size are told apart by their sums (DataSum.h), as far as the file has them.
void compareDataSums(const std::string& path, const Value& saved, const DataSums& here, RunDifferences& differences);

/// Of "data", all but those sums.
Value withoutSum(const Value& data);

/// The saved state of an optimiser with the rates and options of the one that is here.
Value withRatesOf(const Value& here, const Value& saved);

/// Warns where threads, instruction set or oneDNN are not those that the file was written with: sums round otherwise.
void warnOfOtherMachine(const std::string& path, const Value& writer);

}  // namespace ember::optim
