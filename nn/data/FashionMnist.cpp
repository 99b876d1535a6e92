#include <ember/nn/data/FashionMnist.h>

#include <cstdlib>
#include <utility>

#include <ember/core/Error.h>
#include <ember/core/io/Idx.h>

namespace ember::data {
namespace {

constexpr const char* op = "fashionMnist";
constexpr const char* debianFolder = "/usr/share/datasets/fashion-mnist";
constexpr i64 side = 28;

/// The folder to read, and a word on who chose it.
std::pair<std::string, std::string> folderOf(const FashionMnistOptions& options) {
  if (!options.dir.empty()) return {options.dir, "given by " + options.dirSource};
  if (const char* folder = std::getenv("EMBER_FASHION_MNIST"); folder && *folder) {
    return {folder, "from EMBER_FASHION_MNIST"};
  }
  return {debianFolder, "where Debian's package puts it"};
}

/// The file stem-idxN-ubyte of the set; the error says what was looked for and how to get it.
std::string find(const FashionMnistOptions& options, const std::string& stem, int rank) {
  const auto [folder, why] = folderOf(options);
  try {
    return io::findIdx(folder, stem, rank);
  } catch (const IoError& error) {
    const std::string headline = error.headline();
    const std::string package = "third_party/install or `apt-get install dataset-fashion-mnist`";
    const std::string help =
        options.dir.empty()
            ? "run " + package + ", or name the folder of the files: " + options.dirSource + ", EMBER_FASHION_MNIST"
            : options.dirSource + " names the folder of the four IDX files; without it the files of Debian's package " +
                  "are read (" + package + ")";
    throw IoError(
        op, headline.substr(headline.find(": ") + 2),
        {{"folder", folder + " (" + why + ")"},
         {"tried", stem + "-idx" + std::to_string(rank) + "-ubyte, with . for the second -, with and without .gz"}},
        help);
  }
}

}  // namespace

TensorDataset fashionMnist(std::string_view which, const FashionMnistOptions& options) {
  if (which != "train" && which != "test") {
    throw ValueError(op, "there is no part \"" + std::string(which) + "\"", {},
                     "say \"train\" (60,000 pictures) or \"test\" (10,000)");
  }
  const std::string prefix = which == "train" ? "train" : "t10k";
  const std::string imageFile = find(options, prefix + "-images", 3);
  const auto [images, labels] = io::readIdxPair(imageFile, find(options, prefix + "-labels", 1), 10);
  if (images.size(1) != side || images.size(2) != side) {
    throw IoError(op, imageFile + " has pictures of " + std::to_string(images.size(1)) + "x" +
                          std::to_string(images.size(2)) + ", expected 28x28");
  }
  return TensorDataset(Tensor(images.reshape({images.size(0), 1, side, side})), Tensor(labels.to(DType::I64)),
                       {.mean = {0.2860f},
                        .std = {0.3530f},
                        .classNames = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                                       "Sneaker", "Bag", "Ankle boot"}});
}

}  // namespace ember::data
