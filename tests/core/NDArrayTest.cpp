#include <doctest/doctest.h>

#include <ember/core/NDArray.h>

using namespace ember;
using namespace ember::core;

TEST_CASE("beside an axis of size 0 the others may be of any size: strides stay positive where their product overflows") {
  constexpr i64 large = i64{1} << 32;
  for (const MemoryOrder order : {MemoryOrder::RowMajor, MemoryOrder::ChannelsLast}) {
    for (const Shape& shape : {Shape{0, large, large, large}, Shape{large, large, large, 0}, Shape{large, 0, large, large}}) {
      const NDArray x = NDArray::empty(shape, DType::F32, order);
      CHECK(x.numel() == 0);
      for (const i64 stride : x.strides()) CHECK(stride > 0);
    }
  }
}
