#pragma once
#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ember/autograd/Tensor.h>

namespace ember::data {

/// One example: a picture (or whatever the net takes) without a batch axis, and what the net should say to it.
struct Sample {
  Sample() = default;
  Sample(Tensor picture, i64 classIndex)
      : image(std::move(picture)), label(Tensor::scalar(static_cast<double>(classIndex), DType::I64)) {}
  Sample(Tensor input, Tensor target) : image(std::move(input)), label(std::move(target)) {}
  Tensor image;  ///< [C, H, W]
  Tensor label;  ///< [] i64, or a target of any shape
};

/// Several samples, stacked along a new first axis.
struct Batch {
  Tensor images;  ///< [B, C, H, W]
  Tensor labels;  ///< [B] i64, or [B, ...] targets
};

/// Numbered samples. A user implements size() and get():
///
///   struct Squares : data::Dataset {
///     i64 size() const override { return 100; }
///     data::Sample get(i64 i) const override { return {Tensor::of({i * 0.1}), Tensor::of({i * i * 0.01})}; }
///   };
///
/// get(i) is a pure function of i in [0, size()): it may be called at any time, again, and from the loader's thread.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual i64 size() const = 0;
  virtual Sample get(i64 index) const = 0;

  /// Samples `indices`, stacked. The default calls get() for each; overridden where a whole batch is cheaper.
  /// Throws ShapeError or DtypeError naming the sample that differs from the first, IoError (with the original nested)
  /// naming the sample whose get() threw, ValueError on an index out of range.
  virtual Batch batch(std::span<const i64> indices) const;

  /// Names of the classes, where there are any.
  virtual std::vector<std::string> classNames() const { return {}; }

  /// All that the samples are made of, where that lies in memory: equal contents are equal samples. Empty: unknown.
  virtual Tensors contents() const { return {}; }
};

/// Some samples of another dataset, in an order of its own. Keeps that dataset alive and copies nothing of it.
class Subset : public Dataset {
 public:
  /// Throws ValueError if an index is outside the dataset.
  Subset(std::shared_ptr<const Dataset> whole, std::vector<i64> indices);
  i64 size() const override { return static_cast<i64>(indices_.size()); }
  Sample get(i64 index) const override;
  Batch batch(std::span<const i64> indices) const override;
  std::vector<std::string> classNames() const override { return whole_->classNames(); }
  /// The whole dataset's, and which samples are taken.
  Tensors contents() const override;
  /// Positions in the whole dataset.
  const std::vector<i64>& indices() const noexcept { return indices_; }

 private:
  std::shared_ptr<const Dataset> whole_;
  std::vector<i64> indices_;
};

/// Deals samples out at random into parts of the given sizes, no sample twice; who gets which is a function of the seed
/// and the number of samples alone. Throws ValueError if a size is negative or their sum exceeds the dataset.
std::vector<Subset> split(std::shared_ptr<const Dataset> whole, const std::vector<i64>& sizes, u64 seed = 0);
/// As above for a dataset itself: auto parts = split(fashionMnist("train"), {55000, 5000}). A copied TensorDataset
/// shares its memory.
template <std::derived_from<Dataset> D>
std::vector<Subset> split(D whole, const std::vector<i64>& sizes, u64 seed = 0) {
  return split(std::shared_ptr<const Dataset>(std::make_shared<D>(std::move(whole))), sizes, seed);
}

/// Throws ValueError unless 0 <= index < size. `op` names the caller.
void checkIndex(const char* op, i64 index, i64 size);

}  // namespace ember::data
