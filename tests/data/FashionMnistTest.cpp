#include <ember/nn/data/FashionMnist.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>

#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using test::contains;

namespace {

/// A folder of IDX files.
struct Folder : test::TempFolder {
  void idx(const std::string& name, std::vector<int> sizes, const std::string& bytes) const {
    std::string text{'\0', '\0', '\x08', static_cast<char>(sizes.size())};
    for (const int size : sizes) text += {'\0', '\0', static_cast<char>(size / 256), static_cast<char>(size % 256)};
    test::writeFile(*this / name, text + bytes);
  }
  /// `count` pictures, picture i all byte 10·i, label i mod 10.
  void images(const std::string& name, int count, int side = 28) const {
    std::string bytes;
    for (int i = 0; i < count; ++i)
      bytes += std::string(static_cast<std::size_t>(side * side), static_cast<char>(10 * i));
    idx(name, {count, side, side}, bytes);
  }
  void labels(const std::string& name, int count, int add = 0) const {
    std::string bytes;
    for (int i = 0; i < count; ++i) bytes += static_cast<char>(i % 10 + add);
    idx(name, {count}, bytes);
  }
  data::TensorDataset read(const char* which = "train") const { return data::fashionMnist(which, {.dir = path()}); }
};

}  // namespace

TEST_CASE("pictures are [1, 28, 28], normalised by the mean and std of the training set, and stay bytes in memory") {
  const Folder folder;
  folder.images("train-images-idx3-ubyte", 12);
  folder.labels("train-labels-idx1-ubyte", 12);
  const auto set = folder.read();
  CHECK(set.size() == 12);
  CHECK(set.images().dtype() == DType::U8);
  CHECK(set.classNames().size() == 10);
  CHECK(set.classNames()[9] == "Ankle boot");
  const std::vector<i64> indices{11, 0};
  const auto [images, labels] = set.batch(indices);
  CHECK(toString(images.shape()) == "[2, 1, 28, 28]");
  CHECK(labels.toVector<i64>() == std::vector<i64>{1, 0});
  const std::vector<float> pixels = images.toVector<float>();
  CHECK(pixels.front() == doctest::Approx((110 / 255.0 - 0.2860) / 0.3530).epsilon(1e-6));
  CHECK(pixels.back() == doctest::Approx(data::fashionMnistBlack).epsilon(1e-6));
}

TEST_CASE("names with a dot before idx are found as well (I12)") {
  const Folder folder;
  folder.images("t10k-images.idx3-ubyte", 2);
  folder.labels("t10k-labels.idx1-ubyte", 2);
  CHECK(folder.read("test").size() == 2);
}

TEST_CASE("a folder without the files is an error that lists what was looked for and says what to install (I12)") {
  const Folder folder;
  const std::string message = test::messageOf<IoError>([&] { folder.read(); });
  CHECK(message.starts_with("[fashionMnist] IoError: no file with the train-images in "));
  CHECK(contains(message, folder.path()));
  CHECK(contains(message, "train-images-idx3-ubyte"));
  CHECK(contains(message, "apt-get install dataset-fashion-mnist"));
  CHECK(contains(message, "(given by options.dir)"));
  CHECK(contains(message, "options.dir names the folder of the four IDX files"));
  CHECK(contains(message, "third_party/install"));
}

TEST_CASE("the environment names the folder where the program does not") {
  const Folder folder;
  folder.images("train-images-idx3-ubyte", 3);
  folder.labels("train-labels-idx1-ubyte", 3);
  const char* before = std::getenv("EMBER_FASHION_MNIST");
  const std::string kept = before ? before : "";
  setenv("EMBER_FASHION_MNIST", folder.path().c_str(), 1);
  CHECK(data::fashionMnist("train").size() == 3);
  setenv("EMBER_FASHION_MNIST", "/nowhere", 1);
  CHECK(contains(test::messageOf<IoError>([] { data::fashionMnist("train"); }), "from EMBER_FASHION_MNIST"));
  CHECK(folder.read().size() == 3);  // the program's word comes first
  if (before)
    setenv("EMBER_FASHION_MNIST", kept.c_str(), 1);
  else
    unsetenv("EMBER_FASHION_MNIST");
}

TEST_CASE("files that do not belong together are refused: swapped, of different counts, labels beyond the classes (I4, I7, I9)") {
  const Folder folder;
  folder.labels("train-images-idx3-ubyte", 4);
  folder.labels("train-labels-idx1-ubyte", 4);
  CHECK(contains(test::messageOf<IoError>([&] { folder.read(); }), "is a label file"));

  folder.images("train-images-idx3-ubyte", 3);
  const std::string counts = test::messageOf<IoError>([&] { folder.read(); });
  CHECK(contains(counts, "3 images"));
  CHECK(contains(counts, "4 labels"));

  folder.images("train-images-idx3-ubyte", 4);
  folder.labels("train-labels-idx1-ubyte", 4, 7);
  CHECK(contains(test::messageOf<IoError>([&] { folder.read(); }), "label 3 is 10"));

  folder.labels("train-labels-idx1-ubyte", 4);
  folder.images("train-images-idx3-ubyte", 4, 20);
  CHECK(contains(test::messageOf<IoError>([&] { folder.read(); }), "pictures of 20x20, expected 28x28"));

  folder.images("train-images-idx3-ubyte", 0);
  folder.labels("train-labels-idx1-ubyte", 0);
  CHECK(contains(test::messageOf<IoError>([&] { folder.read(); }), "empty dataset"));
}

TEST_CASE("there is a train and a test part, nothing else") {
  CHECK(test::messageOf<ValueError>([] {
          data::fashionMnist("valid");
        }).starts_with("[fashionMnist] ValueError: there is no part \"valid\"\n"));
}

TEST_CASE("the Debian package's files are the published set: counts, balance, mean and std") {
  const std::filesystem::path debian = "/usr/share/datasets/fashion-mnist";
  if (!std::filesystem::is_directory(debian)) {
    MESSAGE("skipped: dataset-fashion-mnist is not installed");
    return;
  }
  const auto train = data::fashionMnist("train", {.dir = debian.string()});
  CHECK(train.size() == 60000);
  std::vector<i64> perClass(10);
  for (const i64 label : train.labels().toVector<i64>()) ++perClass[static_cast<std::size_t>(label)];
  CHECK(perClass == std::vector<i64>(10, 6000));
  double sum = 0, squares = 0;
  const u8* bytes = train.images().array().data<u8>();
  for (i64 i = 0; i < train.images().numel(); ++i) {
    const double x = bytes[i] / 255.0;
    sum += x, squares += x * x;
  }
  const auto count = static_cast<double>(train.images().numel());
  CHECK(sum / count == doctest::Approx(0.2860).epsilon(2e-4));
  CHECK(std::sqrt(squares / count - sum / count * (sum / count)) == doctest::Approx(0.3530).epsilon(2e-4));
  CHECK(train.labels().toVector<i64>()[0] == 9);  // the first picture is an ankle boot
  CHECK(data::fashionMnist("test", {.dir = debian.string()}).size() == 10000);
}
