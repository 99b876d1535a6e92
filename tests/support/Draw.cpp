#include "support/Draw.h"

#include <cstring>
#include <numeric>

#include <ember/autograd/ops/Shape.h>
#include <ember/core/Random.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember::test {
namespace {

random::Key keyOf(std::string_view name) { return {20, random::streamOf(name), 0}; }

}  // namespace

Tensor draw(std::string_view name, const Shape& shape, double low, double high) {
  std::vector<double> values(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = low + (high - low) * random::uniform(keyOf(name), i);
  return Tensor::of<double>(values, shape);
}

Tensor distinct(std::string_view name, const Shape& shape, double gap) {
  const std::vector<i64> order = random::permutation(keyOf(name), numel(shape));
  std::vector<double> values;
  for (const i64 i : order)
    values.push_back((static_cast<double>(i) - 0.5 * static_cast<double>(order.size()) + 0.25) * gap);
  return Tensor::of<double>(values, shape);
}

Tensor integers(std::string_view name, const Shape& shape, i64 bound) {
  std::vector<i64> values(static_cast<std::size_t>(numel(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<i64>(random::below(keyOf(name), i, static_cast<u64>(bound)));
  }
  return Tensor::of<i64>(values, shape);
}

Tensor strided(const Tensor& x) {
  const int rank = x.rank();
  if (rank == 0) return x;
  std::vector<int> reversed(static_cast<std::size_t>(rank));
  for (int i = 0; i < rank; ++i) reversed[static_cast<std::size_t>(i)] = rank - 1 - i;
  core::NDArray turned = x.array().permute(reversed);
  Shape wide = turned.shape();
  wide[rank - 1] *= 2;
  core::NDArray larger = core::NDArray::full(wide, x.dtype() == DType::Bool ? 1 : 7, x.dtype());
  core::NDArray every = larger.slice(rank - 1, 0, wide[rank - 1], 2);
  core::copyInto(every, turned, nullptr);
  return Tensor(every.permute(reversed));
}

bool sameBits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  if (!(a.shape() == b.shape()) || a.dtype() != b.dtype()) return false;
  const core::NDArray x = a.array().contiguous(), y = b.array().contiguous();
  return x.numel() == 0 || std::memcmp(x.raw(), y.raw(), static_cast<std::size_t>(x.bytes())) == 0;
}

}  // namespace ember::test
