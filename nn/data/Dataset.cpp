#include <ember/nn/data/Dataset.h>

#include <cstring>
#include <exception>

#include <ember/core/Error.h>
#include <ember/core/Random.h>

namespace ember::data {
namespace {

std::string number(i64 value) { return std::to_string(value); }

/// get(index); whatever it throws gets the sample's number in front.
Sample getNumbered(const Dataset& dataset, i64 index) {
  try {
    return dataset.get(index);
  } catch (const OutOfMemory&) {  // no fault of the sample's
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const Error& error) {
    std::throw_with_nested(IoError("Dataset.get", "sample " + number(index) + " failed: " + error.headline(),
                                   {{"whole", error.what()}}, "the exception that get() threw is nested in this one"));
  } catch (const std::exception& error) {
    std::throw_with_nested(IoError("Dataset.get", "sample " + number(index) + " failed: " + error.what(), {},
                                   "the exception that get() threw is nested in this one"));
  }
}

std::string shapeOf(const Tensor& t) { return toString(t.shape()) + " " + std::string(name(t.dtype())); }

/// Rows of a stacked tensor, filled one sample at a time; all must look like the first.
class Stack {
 public:
  Stack(const char* what, i64 count) : what_(what), count_(count) {}

  void put(const Tensor& part, i64 row, i64 index, i64 firstIndex) {
    if (!part.defined())
      throw StateError("Dataset.batch", std::string(what_) + " of sample " + number(index) + " is undefined");
    if (!whole_.defined()) {
      Shape shape = part.shape();
      shape.insert(0, count_);
      whole_ = core::NDArray::empty(shape, part.dtype());
      first_ = part;
    }
    if (part.shape() != first_.shape() || part.dtype() != first_.dtype()) refuse(part, index, firstIndex);
    const core::NDArray dense = part.array().contiguous();
    const auto bytes = static_cast<std::size_t>(dense.bytes());
    if (bytes > 0)
      std::memcpy(static_cast<std::byte*>(whole_.raw()) + static_cast<std::size_t>(row) * bytes, dense.raw(), bytes);
  }

  Tensor take() { return Tensor(std::move(whole_)); }

 private:
  [[noreturn]] void refuse(const Tensor& part, i64 index, i64 firstIndex) const {
    const Error::Details details{{"sample " + number(firstIndex), shapeOf(first_)},
                                 {"sample " + number(index), shapeOf(part)}};
    const char* help = "samples of one batch have one shape and one type: crop, pad or convert in get()";
    const std::string subject = std::string(what_) + " of sample " + number(index);
    if (part.shape() != first_.shape()) {
      throw ShapeError("Dataset.batch",
                       subject + " has shape " + toString(part.shape()) + ", expected " + toString(first_.shape()),
                       details, help);
    }
    throw DtypeError(
        "Dataset.batch",
        subject + " is " + std::string(name(part.dtype())) + ", expected " + std::string(name(first_.dtype())), details,
        help);
  }

  const char* what_;
  i64 count_;
  Tensor first_;
  core::NDArray whole_;
};

}  // namespace

void checkIndex(const char* op, i64 index, i64 size) {
  if (index >= 0 && index < size) return;
  throw ValueError(op, "sample " + number(index) + " is not there: the dataset has " + number(size), {},
                   size > 0 ? "samples are numbered 0 to " + number(size - 1) : "the dataset is empty");
}

Batch Dataset::batch(std::span<const i64> indices) const {
  if (indices.empty()) throw ValueError("Dataset.batch", "a batch of 0 samples");
  const auto count = static_cast<i64>(indices.size());
  Stack images("the image", count), labels("the label", count);
  for (i64 row = 0; row < count; ++row) {
    const i64 index = indices[static_cast<std::size_t>(row)];
    checkIndex("Dataset.batch", index, size());
    const Sample sample = getNumbered(*this, index);
    images.put(sample.image, row, index, indices.front());
    labels.put(sample.label, row, index, indices.front());
  }
  return {images.take(), labels.take()};
}

Subset::Subset(std::shared_ptr<const Dataset> whole, std::vector<i64> indices)
    : whole_(std::move(whole)), indices_(std::move(indices)) {
  if (!whole_) throw ValueError("Subset", "the dataset is null");
  for (const i64 index : indices_) checkIndex("Subset", index, whole_->size());
}

Tensors Subset::contents() const {
  Tensors all = whole_->contents();
  if (!all.empty()) all.push_back(Tensor(core::NDArray::from<i64>(indices_, {size()})));
  return all;
}

Sample Subset::get(i64 index) const {
  checkIndex("Subset.get", index, size());
  return whole_->get(indices_[static_cast<std::size_t>(index)]);
}

Batch Subset::batch(std::span<const i64> indices) const {
  std::vector<i64> inWhole;
  inWhole.reserve(indices.size());
  for (const i64 index : indices) {
    checkIndex("Subset.batch", index, size());
    inWhole.push_back(indices_[static_cast<std::size_t>(index)]);
  }
  return whole_->batch(inWhole);
}

std::vector<Subset> split(std::shared_ptr<const Dataset> whole, const std::vector<i64>& sizes, u64 seed) {
  if (!whole) throw ValueError("split", "the dataset is null");
  i64 sum = 0;
  for (const i64 size : sizes) {
    if (size < 0) throw ValueError("split", "a part of " + number(size) + " samples");
    sum = checkedAdd(sum, size);
  }
  if (sum > whole->size()) {
    throw ValueError("split",
                     "parts of " + toString(Dims(sizes)) + " samples are " + number(sum) + ", the dataset has " +
                         number(whole->size()),
                     {}, "make the parts smaller");
  }
  const std::vector<i64> order = random::permutation({seed, random::streamOf("split"), 0}, whole->size());
  std::vector<Subset> parts;
  auto from = order.begin();
  for (const i64 size : sizes) {
    parts.emplace_back(whole, std::vector<i64>(from, from + size));
    from += size;
  }
  return parts;
}

}  // namespace ember::data
