#include <algorithm>
#include <cstring>
#include <string>

#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>

#include "fuzz/Targets.h"
#include "fuzz/TextSink.h"

namespace ember::fuzz {
namespace {

/// Gives a few bytes at a time, as a slow disk may.
class Trickle final : public io::RewindableSource {
 public:
  explicit Trickle(std::string_view bytes) : RewindableSource("trickle"), whole_(bytes) {}
  std::size_t read(void* to, std::size_t count) override { return whole_.read(to, std::min(count, 1 + reads_++ % 7)); }
  u64 size() const noexcept override { return whole_.size(); }
  void rewind() override { whole_.rewind(); }
  void checkUnchanged() const override {}

 private:
  io::MemorySource whole_;
  std::size_t reads_ = 0;
};

bool equal(const io::Checkpoint& a, const io::Checkpoint& b) {
  if (!(a.model == b.model && a.train == b.train && a.optimizer == b.optimizer && a.scheduler == b.scheduler &&
        a.selfTest == b.selfTest && a.writer == b.writer && a.extra == b.extra))
    return false;
  if (a.tensors.size() != b.tensors.size()) return false;
  for (std::size_t i = 0; i < a.tensors.size(); ++i) {
    const io::CheckpointTensor &x = a.tensors[i], &y = b.tensors[i];
    if (x.name != y.name || x.role != y.role || x.array.dtype() != y.array.dtype()) return false;
    if (!(x.array.shape() == y.array.shape()) || x.array.bytes() != y.array.bytes()) return false;
    const auto bytes = static_cast<std::size_t>(x.array.bytes());
    if (bytes > 0 && std::memcmp(x.array.raw(), y.array.raw(), bytes) != 0) return false;
  }
  return true;
}

}  // namespace

void Checkpoint(std::string_view bytes) {
  io::Checkpoint read;
  try {
    io::MemorySource source(bytes);
    read = io::readCheckpoint(source);
  } catch (const IoError&) {
    return;
  }
  u64 size = 0;
  for (const io::CheckpointTensor& tensor : read.tensors) size += static_cast<u64>(tensor.array.bytes());
  require(size <= bytes.size() * 4, "tensors are no larger than what the file can fill");  // a digit is an f64 at most

  Trickle trickle(bytes);
  require(equal(io::readCheckpoint(trickle), read), "a source that gives a little at a time is read alike");
  if (read.writer.isNull()) read.writer = Value::object();  // else the writer's own would stand there
  for (const bool readable : {false, true}) {
    TextSink sink;
    io::writeCheckpoint(sink, read, {.readable = readable});
    io::MemorySource source(sink.text);
    require(equal(io::readCheckpoint(source), read), "what was read can be written and is read again");
  }
}

}  // namespace ember::fuzz
