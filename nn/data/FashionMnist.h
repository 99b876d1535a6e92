#pragma once
#include <string>
#include <string_view>

#include <ember/nn/data/TensorDataset.h>

namespace ember::data {

struct FashionMnistOptions {
  /// Folder of the files; empty: the environment's EMBER_FASHION_MNIST, else where Debian's dataset-fashion-mnist puts
  /// them.
  std::string dir = {};
  /// What the program's user sets to choose `dir`, named in errors: "--data".
  std::string dirSource = "options.dir";
};

/// Zalando's pictures of clothes: "train" (60,000) or "test" (10,000), 28x28 grey, ten classes.
///
/// Images are delivered as f32 [1, 28, 28], (byte/255 - 0.2860) / 0.3530: mean 0 and std 1 over the training set; in
/// memory they are bytes. Reads IDX files, plain or gzip: {train,t10k}-{images-idx3,labels-idx1}-ubyte, also spelt with
/// a dot before idx, with or without .gz. Throws ValueError for another word than these two, IoError that lists what
/// was looked for, or what is wrong in a file. Source: Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747.
TensorDataset fashionMnist(std::string_view which, const FashionMnistOptions& options = {});

/// What a black pixel (byte 0) of a delivered picture is: the fill for crops and erased rectangles.
inline constexpr float fashionMnistBlack = -0.2860f / 0.3530f;

}  // namespace ember::data
