#pragma once
#include <optional>

#include <ember/nn/data/Dataset.h>

namespace ember::optim {

/// CRC-32s that tell one data set from another. `samples`: over type, shape and values of up to 256 samples and their
/// labels, evenly spaced, the first and the last among them, as get() gives them, before any transform. Of large
/// samples there are fewer, so that at most 64 MiB are read, twice: well under a second from memory. A change to
/// samples that are not among them goes unseen.
///
/// `samples` is nothing if two reads of a sample differ: then get() draws at random, and no sum would come back. What
/// the program drew meanwhile is put back. What get() throws comes out.
///
/// Where the dataset lies in memory (Dataset::contents()) `contents` is the CRC-32 over all of it, and no change goes
/// unseen: 13 ms for the 47 MB of Fashion-MNIST. Samples that are read or made one by one are not all summed: that
/// would cost an epoch of reading at the first save.
struct DataSums {
  std::optional<u32> samples = {}, contents = {};
};
DataSums dataSums(const data::Dataset& dataset);

}  // namespace ember::optim
