#pragma once
#include <string>
#include <vector>

#include <ember/core/NDArray.h>
#include <ember/core/io/ByteSource.h>

/// The IDX format of MNIST and its relatives: two zero bytes, the element type, the number of axes, their sizes
/// (big-endian 32 bits each), then the elements, big-endian, row-major.
namespace ember::io {

/// Reads an IDX file, plain or gzip by content rather than by name, into an array of its type: u8, i8, i32, f32, f64
/// (16-bit integers become i32). Throws IoError naming the file: not IDX, unknown type, no axis or more than 8, a size
/// overflow, fewer or more bytes than the sizes say, no elements ("empty dataset").
core::NDArray readIdx(const std::string& path);
core::NDArray readIdx(ByteSource& source);

/// Images u8 [N, H, W] and labels u8 [N] of one split.
struct IdxPair {
  core::NDArray images, labels;
};
/// Reads images and labels that belong together. IoError also if a label file is given as images or the reverse, if
/// their numbers differ, and if a label is `classes` or more (index and value named).
IdxPair readIdxPair(const std::string& imagesPath, const std::string& labelsPath, int classes = 10);
IdxPair readIdxPair(ByteSource& imageFile, ByteSource& labelFile, int classes = 10);

/// The file of an MNIST-like set in `folder`: "train-images-idx3-ubyte", with '.' before "idx" too, each with and
/// without
/// ".gz". `stem` is "train-images", `rank` 3. IoError lists what was looked for.
std::string findIdx(const std::string& folder, const std::string& stem, int rank);

}  // namespace ember::io
