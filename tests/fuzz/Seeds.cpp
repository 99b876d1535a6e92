// fuzz_seeds FOLDER: writes the seeds that only ember can make, small files that each show its readers something else:
// FOLDER/Checkpoint, FOLDER/LoadNet (a net of every layer) and FOLDER/Run. The others are few bytes, put there by hand.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <ember/core/io/Checkpoint.h>
#include <ember/ember.h>

#include "fuzz/RunSample.h"
#include "fuzz/TextSink.h"
#include "nn/LayerSamples.h"

using namespace ember;

namespace {

constexpr std::size_t largest = 2500;  // of a net: short files are searched better
void write(const std::filesystem::path& path, io::Checkpoint checkpoint, const io::CheckpointOptions& options = {},
           std::size_t limit = ~std::size_t{0}) {
  checkpoint.writer = Value::object();
  fuzz::TextSink sink;
  io::writeCheckpoint(sink, checkpoint, options);
  if (sink.text.size() > limit) return;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << sink.text;
}

void checkpoints(const std::filesystem::path& folder) {
  for (const bool readable : {false, true}) {
    io::Checkpoint every;
    every.train = {{"epoch", 3}, {"seed", Value::counter(u64{1} << 63)}, {"loss", 0.25}, {"streams", Value::object()}};
    every.extra = {{"note", "é"}, {"list", Value::array({Value(), true, -1.5})}};
    for (const DType dtype : {DType::F32, DType::F64, DType::BF16, DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool})
      every.tensors.push_back({std::string(name(dtype)), "buffer", Tensor::ones({2}).to(dtype).array()});
    every.tensors.push_back({"scalar", "param", Tensor::full({}, 0.1).array()});
    every.tensors.push_back({"nothing", "param", Tensor::zeros({0, 3}).array()});
    write(folder / (readable ? "types-decimal" : "types"), every, {.readable = readable});
  }
  write(folder / "empty", {});
}

void nets(const std::filesystem::path& folder) {
  for (const auto& [type, row] : test::layerSamples()) {
    for (std::size_t i = 0; i < row.samples.size() && i < 2; ++i) {
      const auto net = row.samples[i].make();
      if (!net->pending()) write(folder / (type + std::to_string(i)), nn::checkpointOf(*net), {}, largest);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  checkpoints(folder / "Checkpoint");
  nets(folder / "LoadNet");
  for (const i64 steps : {0, 3, 4}) {
    seed(1);
    fuzz::RunSample run;
    for (i64 i = 0; i < steps; ++i) run.trainer.step();
    const std::string path = folder / ("run" + std::to_string(steps));
    run.trainer.save(path);
    write(folder / "Run" / ("steps" + std::to_string(steps)), io::readCheckpoint(path));
    std::filesystem::remove(path);
  }
}
