#pragma once
#include <memory>

#include <ember/nn/Module.h>

namespace ember::nn {

/// The layer with the norm folded in, but for the norm's activation; null if the two are no such pair. Throws what
/// fold() throws.
std::unique_ptr<Module> foldedPair(const Module& layer, const Module& next);

}  // namespace ember::nn
