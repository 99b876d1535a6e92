#pragma once
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <ember/nn/Checkpoint.h>
#include <ember/nn/SeenInputs.h>

namespace ember::nn {

/// A load that was checked and not yet done: the first of two phases. Lets a run check all it loads before it changes
/// anything. A plan that is dropped leaves the net as it was.
class PlannedLoad {
 public:
  /// Values: they are copied into the net's memory, which may not change its types. Built: the net was built for the
  /// file alone, and takes its arrays and floating types for its own.
  enum class Into : u8 { Values, Built };
  /// Checks the "param" and "buffer" tensors of a checkpoint against a net, and what the net computes with them.
  /// `file` is named in errors. Throws IoError.
  PlannedLoad(const io::Checkpoint& checkpoint, Module& module, const LoadOptions& options, const std::string& file,
              Into into = Into::Values);
  ~PlannedLoad();
  PlannedLoad(const PlannedLoad&) = delete;
  PlannedLoad& operator=(const PlannedLoad&) = delete;

  /// Writes the values and gives the report away; takes no memory and does not fail. A tensor that has a shape alone
  /// takes the file's array.
  LoadReport commit();

  /// Names of the parameters of the file that do not train.
  const std::set<std::string>& frozen() const noexcept { return frozen_; }

 private:
  class Stored;
  class Materialised;
  struct Write {
    Tensor tensor, values;
  };
  std::unique_ptr<Materialised> made_;
  std::vector<Write> writes_;
  LoadReport report_;
  std::set<std::string> frozen_;
  Module& net_;
  Into into_;
  SeenInputs seen_;  ///< the inputs of the self-test, if the net has seen none of its own

  void plan(const Stored& stored, const LoadOptions& options, const std::string& file);
  void checkOutputs(const io::Checkpoint& checkpoint, const LoadOptions& options, const std::string& file);
};

/// The names under "frozen". Throws IoError that names `file` unless each is that of a "param" tensor.
std::set<std::string> frozenNames(const io::Checkpoint& checkpoint, const std::string& file);

/// Further names of tensors, by what stands under "aliases": {NAME, FIRST NAME}. Throws IoError that names `file`
/// unless each first name is that of a tensor of the net and no further name is.
std::vector<std::pair<std::string, std::string>> aliasesOf(const io::Checkpoint& checkpoint, const std::string& file);

}  // namespace ember::nn
