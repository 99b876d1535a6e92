#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ember/core/io/Value.h>
#include <ember/nn/Module.h>

namespace ember {

namespace io {
struct Checkpoint;
}

struct SaveOptions {
  bool readable = false;     ///< tensors of at most 10,000 elements as decimal numbers, exact, instead of base64
  bool keepPrevious = true;  ///< the file that stood there stays as NAME.prev
};

/// Saves parameters, buffers and architecture in one JSON file (core/io/Checkpoint.h describes it). The old file or the
/// new one is there, whole, whatever happens. Throws IoError if it cannot be written; the old file is then untouched.
void save(const std::string& path, const nn::Module& module, const SaveOptions& options = {});

struct LoadOptions {
  /// Every tensor of the net must be in the file and the reverse (as far as `only` reaches), and the file's layers and
  /// their arguments must equal the net's. Otherwise what both have is taken.
  bool strict = true;
  /// Names in the net to load: * stands for any run of characters ("features.*").
  std::string only = "*";
  /// Names in the file that stand for others in the net: {"backbone.*", "features.*"}; at most one * on each side. The
  /// first pair that matches applies.
  std::vector<std::pair<std::string, std::string>> rename = {};
  bool allowCast = false;    ///< convert floating types (f64 in the file, f32 in the net)
  bool compareModel = true;  ///< with strict, only = "*" and nothing renamed: compare the architecture too
};

/// What a load did.
struct LoadReport {
  std::vector<std::string> taken;    ///< names in the net that have the file's values now
  std::vector<std::string> left;     ///< names in the file that were not taken
  std::vector<std::string> missing;  ///< names in the net that kept their values
  std::vector<std::string> cast;     ///< taken with a conversion: "fc.weight: f64 -> f32"
  /// "took 12 tensors; left 2 in the file: ...", names listed up to 20 a kind.
  std::string toString() const;
};

/// Loads a file into a net that exists: everything it promises or, on any error, nothing. Values are written in place,
/// so optimisers stay attached. Throws IoError: a bad file, or one that does not fit, with all missing, unexpected,
/// mis-shaped and mis-typed names (20 a kind) and the nearest name each. A tensor of another shape is an error also
/// without strict: leave it out by `only`.
LoadReport load(const std::string& path, nn::Module& module, const LoadOptions& options = {});

namespace nn {

/// Rebuilds the net from the file alone: library modules and types given to registerModule(). Throws IoError for a bad
/// file and for a type that is not known, naming it and both ways out. Trainability is restored; the net is in training
/// mode.
std::unique_ptr<Module> load(const std::string& path);

/// Architecture, parameters (role "param"), buffers ("buffer") and the names of frozen parameters, sharing the net's
/// memory: what save() writes, for run checkpoints to add to.
io::Checkpoint checkpointOf(const Module& module);

}  // namespace nn
}  // namespace ember
