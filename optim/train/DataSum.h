#pragma once
#include <optional>

#include <ember/nn/data/Dataset.h>

namespace ember::optim {

/// CRC-32 that tells one data set from another: over type, shape and values of up to 256 samples and their labels,
/// evenly spaced, the first and the last among them, as get() gives them, before any transform. Of large samples there
/// are fewer, so that at most 64 MiB are read, twice: well under a second from memory. A change to samples that are not
/// among them goes unseen.
///
/// Nothing if two reads of a sample differ: then get() draws at random, and no sum would come back. What the program
/// drew meanwhile is put back. What get() throws comes out.
std::optional<u32> dataSum(const data::Dataset& dataset);

}  // namespace ember::optim
