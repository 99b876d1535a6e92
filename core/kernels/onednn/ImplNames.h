#pragma once
#include <string>
#include <vector>

namespace ember::core::onednn {

/// What runs: "convolution forward: brgconv:avx512_core" of every primitive in the cache, most recently used first. A
/// test asserts that no convolution or matrix product of ordinary shape is among oneDNN's reference kernels.
std::vector<std::string> usedImplementations();

}  // namespace ember::core::onednn
