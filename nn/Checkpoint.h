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
  /// Adds a self-test: a few outputs of the net in eval mode for inputs drawn from a seed, which load() computes again
  /// (nn/SelfTest.h). There is none where they would say nothing: the net has never run, its forward throws or needs
  /// other inputs than numbers in [0, 1), it gives no finite numbers, or others for nearly the same inputs.
  bool selfTest = true;
  /// Inputs of the self-test, of which shapes and types count; empty: those of the last forward, with a batch of 1.
  Tensors sample = {};
};

/// Saves parameters, buffers and architecture in one JSON file (core/io/Checkpoint.h describes it). A tensor that has
/// several names is saved once, with a list of the others. The old file or the new one is there, whole, whatever
/// happens. Throws IoError if it cannot be written, ValueError for a net that could not be built from its file; the old
/// file is then untouched.
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
  /// Compute the file's self-test, if it has one, and refuse the file if other outputs come out. Not done where other
  /// outputs are to be expected: for a part of the values, another architecture, or converted types.
  bool selfTest = true;
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
/// mis-shaped and mis-typed names (20 a kind) and the nearest name each, or a net that computes other outputs than the
/// one that was saved. A tensor of another shape is an error also without strict: leave it out by `only`. With strict,
/// a tensor that is one under several names in the file must be so in the net. Memory: the tensors of the file, and a
/// forward of one sample, in which convolutions repack at most 1 MB of filters at a time; layers that compute their
/// weight (weightNorm) take it once more. No other thread may use the net meanwhile. Values that are not finite are
/// taken as they are, with a warning that counts them; infinities in buffers (masks) without.
LoadReport load(const std::string& path, nn::Module& module, const LoadOptions& options = {});

namespace nn {

struct BuildOptions {
  bool selfTest = true;  ///< compute the file's self-test, if it has one (LoadOptions::selfTest)
};

/// Rebuilds the net from the file alone: library modules and types given to registerModule(), no others. The net's
/// tensors are the arrays that were read, there is no second copy, and a file that speaks of larger layers than it has
/// tensors for makes nobody take memory for them. Throws IoError for a bad file, one whose parts do not fit each other,
/// and a type that is not known, naming it, the layer's path and both ways out. Trainability is restored; the net is in
/// training mode.
std::unique_ptr<Module> load(const std::string& path, const BuildOptions& options = {});
/// The same of a file that was read; `path` is named in errors.
std::unique_ptr<Module> netOf(const io::Checkpoint& checkpoint, const std::string& path,
                              const BuildOptions& options = {});

/// Architecture, parameters (role "param"), buffers ("buffer"), self-test and the names of frozen parameters, sharing
/// the net's memory: what save() writes, for run checkpoints to add to.
io::Checkpoint checkpointOf(const Module& module, const SaveOptions& options = {});

}  // namespace nn
}  // namespace ember
