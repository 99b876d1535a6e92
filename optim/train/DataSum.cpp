#include <ember/optim/train/DataSum.h>

#include <algorithm>

#include <ember/core/Random.h>
#include <ember/core/io/Crc32.h>

namespace ember::optim {
namespace {

constexpr i64 mostSamples = 256, mostBytes = i64{64} << 20;

class ProgramCallsScope {
 public:
  ProgramCallsScope() : calls_(random::programCalls()) {}
  ~ProgramCallsScope() { random::setProgramCalls(calls_); }
  ProgramCallsScope(const ProgramCallsScope&) = delete;
  ProgramCallsScope& operator=(const ProgramCallsScope&) = delete;

 private:
  i64 calls_;
};

void add(io::Crc32& sum, const Tensor& tensor) {
  if (!tensor.defined()) return;
  const core::NDArray dense = tensor.array().contiguous();
  // The type by its name and the sizes as text: the same sum on every machine.
  const std::string head = std::string(name(dense.dtype())) + toString(dense.shape());
  sum.update(head.data(), head.size());
  if (dense.bytes() > 0) sum.update(dense.raw(), static_cast<std::size_t>(dense.bytes()));
}

i64 bytesOf(const Tensor& tensor) { return tensor.defined() ? tensor.array().bytes() : 0; }

u32 sumOnce(const data::Dataset& dataset) {
  io::Crc32 sum;
  const i64 size = dataset.size();
  if (size < 1) return sum.value();
  const data::Sample first = dataset.get(0);
  const i64 bytes = std::max<i64>(1, bytesOf(first.image) + bytesOf(first.label));
  const i64 count = std::min(size, std::clamp<i64>(mostBytes / bytes, 2, mostSamples));
  for (i64 k = 0; k < count; ++k) {
    // (size - 1)·k/(count - 1) without overflow for any size.
    const i64 step = count > 1 ? (size - 1) / (count - 1) : 0, rest = count > 1 ? (size - 1) % (count - 1) : 0;
    const i64 index = step * k + (count > 1 ? rest * k / (count - 1) : 0);
    const data::Sample sample = index == 0 ? first : dataset.get(index);
    add(sum, sample.image);
    add(sum, sample.label);
  }
  return sum.value();
}

}  // namespace

DataSums dataSums(const data::Dataset& dataset) {
  const NoGrad guard;
  const ProgramCallsScope calls;
  const u32 once = sumOnce(dataset), again = sumOnce(dataset);
  if (once != again) return {};
  DataSums sums{once, {}};
  const Tensors contents = dataset.contents();
  if (contents.empty()) return sums;
  io::Crc32 sum;
  for (const Tensor& tensor : contents) add(sum, tensor);
  sums.contents = sum.value();
  return sums;
}

}  // namespace ember::optim
