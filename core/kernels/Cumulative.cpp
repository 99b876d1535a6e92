#include <ember/core/kernels/Cumulative.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/DenseAxis.h>
#include <ember/core/kernels/Strided.h>

namespace ember::core {
namespace {

/// Each unit is some neighbouring columns of one [size, inner] block: they read and write whole rows of it.
template <class T, class Acc>
void sumLines(T* out, const T* in, const DenseAxis& along, bool exclusive, bool reverse) {
  constexpr i64 widest = 64;
  const i64 chunks = (along.inner + widest - 1) / widest;
  parallelFor(along.outer * chunks, std::max<i64>(1, elementwiseGrain / (along.size * widest)),
              [=](i64 begin, i64 end) {
                for (i64 unit = begin; unit < end; ++unit) {
                  const i64 column = unit % chunks * widest, columns = std::min(widest, along.inner - column);
                  const i64 first = unit / chunks * along.size * along.inner + column;
                  Acc total[widest] = {};
                  for (i64 step = 0; step < along.size; ++step) {
                    const i64 row = first + (reverse ? along.size - 1 - step : step) * along.inner;
                    for (i64 c = 0; c < columns; ++c) {
                      const Acc before = total[c];
                      total[c] += static_cast<Acc>(in[row + c]);
                      out[row + c] = static_cast<T>(exclusive ? before : total[c]);
                    }
                  }
                }
              });
}

}  // namespace

NDArray cumulativeSum(const NDArray& x, int axis, bool exclusive, bool reverse) {
  if (x.dtype() == DType::BF16) return cumulativeSum(x.to(DType::F32), axis, exclusive, reverse).to(DType::BF16);
  const NDArray in = denseOf(x), out = NDArray::emptyLike(in);
  if (x.numel() == 0) return out;
  const DenseAxis along(in, axis);
  const auto run = [&](auto zero, auto total) {
    using T = decltype(zero);
    sumLines<T, decltype(total)>(out.data<T>(), in.data<T>(), along, exclusive, reverse);
  };
  switch (x.dtype()) {
    case DType::F32:
      run(float{}, double{});
      break;
    case DType::F64:
      run(double{}, double{});
      break;
    case DType::I32:
      run(i32{}, u64{});
      break;
    case DType::I64:
      run(i64{}, u64{});
      break;
    default:
      throw DtypeError("cumsum", "x is " + std::string(name(x.dtype())) + ", expected f32, f64, i32 or i64");
  }
  return out;
}

}  // namespace ember::core
