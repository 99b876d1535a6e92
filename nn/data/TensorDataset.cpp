#include <ember/nn/data/TensorDataset.h>

#include <cmath>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Indexing.h>

namespace ember::data {
namespace {

using core::NDArray;

std::string number(i64 value) { return std::to_string(value); }

/// One value for each channel, from one for each, one for all, or none.
std::vector<float> perChannel(const char* what, const std::vector<float>& given, i64 channels, float missing) {
  const auto count = static_cast<std::size_t>(channels);
  if (given.empty()) return std::vector<float>(count, missing);
  if (given.size() == 1) return std::vector<float>(count, given[0]);
  if (given.size() == count) return given;
  throw ShapeError("TensorDataset",
                   number(static_cast<i64>(given.size())) + " values of " + what + ", the images have " +
                       number(channels) + " channels",
                   {}, "give one a channel, or one for all");
}

void checkLabels(const NDArray& labels, i64 classes) {
  const std::vector<i64> values = labels.toVector<i64>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] >= 0 && values[i] < classes) continue;
    throw ValueError("TensorDataset",
                     "label " + number(static_cast<i64>(i)) + " is " + number(values[i]) + ", there are " +
                         number(classes) + " classes",
                     {}, "labels are numbers from 0 to " + number(classes - 1));
  }
}

/// Calls f(from, to, count, channel) for every channel plane of the chosen rows, in parallel over rows.
template <class From, class F>
NDArray gatherPlanes(const NDArray& from, std::span<const i64> indices, F&& f) {
  Shape shape = from.shape();
  shape[0] = static_cast<i64>(indices.size());
  NDArray to = NDArray::empty(shape, DType::F32);
  const i64 channels = shape.rank() > 1 ? shape[1] : 1;
  i64 plane = 1;
  for (int axis = 2; axis < shape.rank(); ++axis) plane *= shape[axis];
  const From* source = from.data<From>();
  float* target = to.data<float>();
  core::parallelFor(shape[0], 1 + (1 << 15) / (channels * plane + 1), [&](i64 begin, i64 end) {
    for (i64 row = begin; row < end; ++row) {
      for (i64 c = 0; c < channels; ++c) {
        f(source + (indices[static_cast<std::size_t>(row)] * channels + c) * plane,
          target + (row * channels + c) * plane, plane, c);
      }
    }
  });
  return to;
}

}  // namespace

TensorDataset::TensorDataset(const Tensor& images, const Tensor& labels, TensorDatasetOptions options)
    : images_(images.array().contiguous()), labels_(labels.array().contiguous()), options_(std::move(options)) {
  const char* op = "TensorDataset";
  if (images_.isShapeOnly() || labels_.isShapeOnly())
    throw StateError(op, "the images or labels have a shape but no data");
  if (images_.rank() < 1 || labels_.rank() < 1 || images_.size(0) != labels_.size(0)) {
    const auto countOf = [](const Tensor& t) { return t.rank() < 1 ? std::string("no axis") : number(t.size(0)); };
    throw ShapeError(op, countOf(images_) + " of images, " + countOf(labels_) + " of labels",
                     {{"images", toString(images_.shape())}, {"labels", toString(labels_.shape())}},
                     "the first axis of both counts the samples");
  }
  if (labels_.dtype() != DType::I64 && !isFloating(labels_.dtype())) {
    throw DtypeError(op, "labels are " + std::string(name(labels_.dtype())), {},
                     "class labels are i64, targets floating: labels.to(DType::I64)");
  }
  if (!options_.classNames.empty() && labels_.dtype() == DType::I64) {
    checkLabels(labels_.array(), static_cast<i64>(options_.classNames.size()));
  }
  const bool bytes = images_.dtype() == DType::U8;
  const bool normalised = !options_.mean.empty() || !options_.std.empty();
  if (normalised && !bytes && images_.dtype() != DType::F32) {
    throw DtypeError(op, "mean and std with images of type " + std::string(name(images_.dtype())), {},
                     "images to normalise are u8 or f32");
  }
  if (!bytes && !normalised) return;

  const i64 channels = images_.rank() > 1 ? images_.size(1) : 1;
  options_.mean = perChannel("mean", options_.mean, channels, 0.0f);
  options_.std = perChannel("std", options_.std, channels, 1.0f);
  for (std::size_t c = 0; c < options_.std.size(); ++c) {
    const float mean = options_.mean[c], std = options_.std[c];
    if (!std::isfinite(mean)) throw ValueError(op, "mean " + std::to_string(mean) + " of channel " + std::to_string(c));
    if (!(std > 0) || !std::isfinite(std)) {
      throw ValueError(op, "std " + std::to_string(std) + " of channel " + std::to_string(c), {},
                       "it divides the pixels: a number above 0");
    }
    // A table makes the same bits on every CPU, whatever instructions it has.
    for (int byte = 0; bytes && byte < 256; ++byte) {
      table_.push_back(static_cast<float>((byte / 255.0 - static_cast<double>(mean)) / static_cast<double>(std)));
    }
  }
}

Tensors TensorDataset::contents() const {
  const auto vector = [](const std::vector<float>& values) {
    return Tensor(NDArray::from<float>(values, {static_cast<i64>(values.size())}));
  };
  return {images_, labels_, vector(options_.mean), vector(options_.std)};
}

Sample TensorDataset::get(i64 index) const {
  checkIndex("TensorDataset.get", index, size());
  const Batch one = batch(std::span<const i64>(&index, 1));
  return {Tensor(one.images.array().select(0, 0)), Tensor(one.labels.array().select(0, 0))};
}

Batch TensorDataset::batch(std::span<const i64> indices) const {
  if (indices.empty()) throw ValueError("TensorDataset.batch", "a batch of 0 samples");
  for (const i64 index : indices) checkIndex("TensorDataset.batch", index, size());
  const std::vector<i64> rows(indices.begin(), indices.end());
  const NDArray& from = images_.array();
  NDArray images;
  if (!table_.empty()) {
    images = gatherPlanes<u8>(from, indices, [&](const u8* x, float* y, i64 count, i64 channel) {
      const float* row = table_.data() + 256 * channel;
      for (i64 i = 0; i < count; ++i) y[i] = row[x[i]];
    });
  } else if (!options_.mean.empty()) {
    images = gatherPlanes<float>(from, indices, [&](const float* x, float* y, i64 count, i64 channel) {
      const float mean = options_.mean[static_cast<std::size_t>(channel)],
                  std = options_.std[static_cast<std::size_t>(channel)];
      for (i64 i = 0; i < count; ++i) y[i] = (x[i] - mean) / std;
    });
  } else {
    images = core::takeRows(from, rows);
  }
  return {Tensor(std::move(images)), Tensor(core::takeRows(labels_.array(), rows))};
}

}  // namespace ember::data
