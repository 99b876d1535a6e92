#include "Generations.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <ember/core/Error.h>

namespace ember::faults {
namespace {

constexpr i64 elements = 60'000;
constexpr int tensors = 3;

float element(i64 generation, int tensor, i64 i) {
  return static_cast<float>(generation * 1'000'003 + tensor * 7919 + i);
}

}  // namespace

io::Checkpoint makeGeneration(i64 generation) {
  io::Checkpoint checkpoint;
  checkpoint.train = {{"generation", generation}};
  for (int t = 0; t < tensors; ++t) {
    std::vector<float> values(elements);
    for (i64 i = 0; i < elements; ++i) values[static_cast<std::size_t>(i)] = element(generation, t, i);
    checkpoint.tensors.push_back({"t" + std::to_string(t), "param", core::NDArray::from<float>(values, {elements})});
  }
  return checkpoint;
}

void saveGeneration(const std::string& path, i64 generation, bool verify) {
  io::writeCheckpoint(path, makeGeneration(generation), {.verify = verify});
}

std::string generationIn(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return "none";
  try {
    const io::Checkpoint file = io::readCheckpoint(path);
    const i64 generation = file.train.get<i64>("generation");
    if (file.tensors.size() != tensors) return "broken: " + std::to_string(file.tensors.size()) + " tensors";
    for (int t = 0; t < tensors; ++t) {
      const core::NDArray& array = file.tensors[static_cast<std::size_t>(t)].array;
      if (array.numel() != elements) return "broken: a tensor of " + std::to_string(array.numel()) + " elements";
      const auto* values = static_cast<const float*>(array.raw());
      for (i64 i = 0; i < elements; ++i) {
        if (values[i] != element(generation, t, i)) return "broken: an element of another generation";
      }
    }
    return std::to_string(generation);
  } catch (const Error& error) {
    return "broken: " + error.headline();
  }
}

std::string namesIn(const std::string& folder) {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) all.push_back(entry.path().filename().string());
  std::sort(all.begin(), all.end());
  std::string names;
  for (const std::string& name : all) names.append(names.empty() ? "" : " ").append(name);
  return names;
}

}  // namespace ember::faults
