#pragma once
#include <string>
#include <vector>

#include <ember/core/NDArray.h>
#include <ember/core/io/ByteSource.h>
#include <ember/core/io/JsonWriter.h>
#include <ember/core/io/Value.h>

/// Checkpoint files: one JSON text, readable header first, payload last.
///
///   { "format": "ember-checkpoint", "format_version": "1.0", "required_features": [],
///     "writer": {...}, "model": {...}, "train": {...}, "optimizer": {...}, "scheduler": {...},
///     "tensors": [ {"name": "conv1.weight", "role": "param", "dtype": "f32", "shape": [8, 1, 3, 3], "bytes": 288,
///     "crc32": "1a2b3c4d"} ], "self_test": {...}, "data": { "conv1.weight": ["base64 of at most 48 KiB", ...] },
///     "end": {"tensors": 1, "bytes": "288", "header_crc32": "9b0c1d2e"} }
///
/// Payload and CRC-32 are those of the little-endian bytes of the elements in row-major order, whatever the order in
/// memory. A tensor with "encoding": "decimal" has its elements as numbers instead. "header_crc32" is that of all the rest
/// (CheckpointSum.h says how to compute it; a file may be without). Readers take the members in any order and ignore
/// those they don't know; what changes the meaning of a file stands in required_features.
namespace ember::io {

struct CheckpointTensor {
  std::string name;
  std::string role;  ///< "param", "buffer", "optim.NAME", "ema"
  core::NDArray array;
  Value extra = {};  ///< fields of its row that a newer minor version added, an object or null
};

/// The content of a checkpoint file. Absent header members are null.
struct Checkpoint {
  Value model, train, optimizer, scheduler, selfTest;
  /// The program that wrote it. Null: writeCheckpoint writes writerInfo().
  Value writer;
  /// Other members of the header, kept as they were read: an object or null.
  Value extra;
  std::vector<CheckpointTensor> tensors;
  bool summed = false;  ///< of one that was read: whether its header had a check sum

  /// By name, or null. Linear: for a few look-ups.
  const CheckpointTensor* find(std::string_view name) const noexcept;
};

struct CheckpointOptions {
  /// Writes tensors of at most decimalLimit elements as decimal numbers, exact in the shortest form; a tensor with a
  /// NaN, an infinity or an integer beyond 2^53 stays base64.
  bool readable = false;
  i64 decimalLimit = 10'000;
  bool keepPrevious = true;  ///< the file that stood there stays as NAME.prev
  bool verify = false;       ///< reads the new file back before it takes its place
};

/// Writes a checkpoint, whole or not at all (AtomicFile). Nothing is written that readCheckpoint would refuse: names,
/// depths and sizes are checked first (ValueError). Memory: a small buffer, and one tensor at a time if it is not dense
/// row-major.
void writeCheckpoint(const std::string& path, const Checkpoint& checkpoint, const CheckpointOptions& options = {});
/// The same text into any sink.
void writeCheckpoint(ByteSink& sink, const Checkpoint& checkpoint, const CheckpointOptions& options = {});

/// Reads and validates a whole checkpoint; what it returns agrees in every check sum and count. Throws IoError that
/// names file, tensor and place, says what was expected and found. Allocates no more than the file can fill.
Checkpoint readCheckpoint(const std::string& path);
Checkpoint readCheckpoint(RewindableSource& source);

/// Reads a checkpoint of any version that this release knows (every 1.x) and writes it in the present one to a new
/// file; every tensor's bytes and every member are kept. Throws IoError for a bad file, and where `to` exists already:
/// nothing is ever converted in place or written over.
void migrate(const std::string& from, const std::string& to, const CheckpointOptions& options = {});

/// What stands under "writer" in files written now: {"program", "version", "git" (the commit, or "unknown"),
/// "compiler", "onednn", "isa" (of ember's kernels), "onednn_isa", "threads", "ranks"}; the instruction sets are those
/// in use, below EMBER_MAX_CPU_ISA and ONEDNN_MAX_CPU_ISA. `ranks`: how many ranks train together.
Value writerInfo(int ranks = 1);

}  // namespace ember::io
