#pragma once
#include <string>
#include <vector>

#include <ember/nn/data/Dataset.h>

namespace ember::data {

struct TensorDatasetOptions {
  std::vector<float> mean = {};              ///< subtracted from the pixels, one a channel or one for all; empty: 0
  std::vector<float> std = {};               ///< then divided by, > 0; empty: 1
  std::vector<std::string> classNames = {};  ///< names of the classes; labels are then checked to be below their number
};

/// A dataset in memory: images [N, ...] and labels [N] (i64) or targets [N, ...]. Copies share the memory.
///
/// u8 images [N, C, H, W] stay bytes and become f32 when a batch is made, a quarter of the memory:
///
///   x = (byte / 255 - mean[c]) / std[c]
///
/// f32 images are delivered as they are, or as (x - mean[c]) / std[c]. Other types are delivered as they are.
/// Throws ShapeError if the counts differ, ValueError for a label outside the classes (index and value), an std that is
/// not positive and finite, DtypeError for mean and std with images that are neither u8 nor f32, or labels that are
/// neither i64 nor floating.
class TensorDataset : public Dataset {
 public:
  TensorDataset(const Tensor& images, const Tensor& labels, TensorDatasetOptions options = {});

  i64 size() const override { return images_.size(0); }
  Sample get(i64 index) const override;
  Batch batch(std::span<const i64> indices) const override;
  std::vector<std::string> classNames() const override { return options_.classNames; }
  /// Images and labels, as they lie in memory, mean and std.
  Tensors contents() const override;

  /// As given, undelivered: u8 images are bytes.
  const Tensor& images() const noexcept { return images_; }
  const Tensor& labels() const noexcept { return labels_; }

 private:
  Tensor images_, labels_;
  TensorDatasetOptions options_;
  std::vector<float> table_;  // [C, 256] for u8 images: what each byte becomes in each channel
};

}  // namespace ember::data
