#pragma once
#include <cstdlib>
#include <map>
#include <string>

namespace bench {

/// What is asked of ember, and what the others gave when they were at their best. All are speeds relative to libtorch
/// 1.13 at its best: two threads of two cores with AVX-512, f32.
struct Targets {
  double ember;            ///< what ember must reach
  double floor;            ///< where raw oneDNN stood; 0: not known
  double onnxRuntime = 0;  ///< where ONNX Runtime 1.30 stood; 0: not known
};

constexpr double floorShare = 0.95;        ///< of the floor's speed that ember must reach
constexpr double installedTarget = 2.5;    ///< training, geometric mean over libtorch as installed
constexpr double baselineTolerance = 1.1;  ///< a baseline further off than this proves nothing

/// Of libtorch's peak memory and of its time to the first step, that ember may take in training.
inline double peakShare(const std::string& workload) { return workload == "W3" ? 1.1 : 1.0; }
inline double firstShare(const std::string& workload) { return workload == "W3" ? 0.6 : 0.5; }

/// Whether the caller has capped the instruction set (ONEDNN_MAX_CPU_ISA=AVX2, which ember heeds too).
inline bool capped() { return std::getenv("ONEDNN_MAX_CPU_ISA") != nullptr; }

/// By mode and workload; null if there is none. In training libtorch was 1.13; in inference the better of 1.13 and 2.6.
inline const Targets* targets(const std::string& mode, const std::string& workload) {
  static const std::map<std::string, std::map<std::string, Targets>> table{{"training",
                                                                            {{"W1", {1.4, 1.50}},
                                                                             {"W2", {1.8, 1.91}},
                                                                             {"W3", {1.3, 1.38}},
                                                                             {"W4", {1.9, 2.01}},
                                                                             {"W5", {3.9, 4.13}},
                                                                             {"W6", {2.0, 2.13}}}},
                                                                           {"inference",
                                                                            {{"W1", {1.55, 1.63, 1.39}},
                                                                             {"W2", {1.65, 1.77, 1.16}},
                                                                             {"W3", {1.18, 1.24, 1.17}},
                                                                             {"W4", {1.18, 1.24}},
                                                                             {"W5", {1.75, 1.89}},
                                                                             {"W6", {1.6, 1.73}}}},
                                                                           {"inference_batch1",
                                                                            {{"W1", {2.8, 2.96, 2.42}},
                                                                             {"W2", {1.65, 1.75, 1.94}},
                                                                             {"W3", {2.5, 2.66, 2.50}},
                                                                             {"W4", {2.4, 2.58}},
                                                                             {"W5", {5.8, 6.13}},
                                                                             {"W6", {1.4, 1.54}}}}};
  static const Targets w2Capped{1.3, 0};
  if (capped()) return mode == "training" && workload == "W2" ? &w2Capped : nullptr;
  const auto rows = table.find(mode);
  if (rows == table.end()) return nullptr;
  const auto found = rows->second.find(workload);
  return found == rows->second.end() ? nullptr : &found->second;
}

}  // namespace bench
