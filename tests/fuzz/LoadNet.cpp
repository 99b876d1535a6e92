#include <cstring>
#include <string>

#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/nn/Checkpoint.h>

#include "fuzz/MemoryFile.h"
#include "fuzz/Targets.h"
#include "fuzz/TextSink.h"

namespace ember::fuzz {
namespace {

std::string saved(const nn::Module& net) {
  TextSink sink;
  io::Checkpoint checkpoint = nn::checkpointOf(net);
  checkpoint.writer = Value::object();
  io::writeCheckpoint(sink, checkpoint);
  return sink.text;
}

}  // namespace

void LoadNet(std::string_view bytes) {
  std::unique_ptr<nn::Module> net;
  try {
    net = nn::load(MemoryFile::of(bytes));
  } catch (const IoError&) {
    return;
  }
  const std::string text = saved(*net);
  const auto again = nn::load(MemoryFile::of(text));
  require(saved(*again) == text, "a net that was loaded can be saved, and loaded as the same net");
  again->eval();
}

}  // namespace ember::fuzz
