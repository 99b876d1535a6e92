// copyInto and fill. Copies without conversion move bits of the element's size: flat ranges by memcpy, transpositions
// (row-major <-> channels last above all) in blocks that use whole cache lines on both sides.
#include <cstring>
#include <string>

#include <ember/core/Error.h>
#include <ember/core/kernels/Convert.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/SimdRun.h>
#include <ember/core/kernels/Strided.h>

namespace ember::core {
namespace {

/// out[r·outStride + c] = in[c·inStride + r] for 4 x 4 elements: shuffles instead of single loads and stores.
template <class T> EMBER_INLINE void transpose4(T* out, i64 outStride, const T* in, i64 inStride) {
  if constexpr (sizeof(T) == 4) {
    using V = u32 __attribute__((vector_size(16)));
    // One by one: compilers leave a loop over an array of vectors in memory, ten times as slow.
    const auto load = [&](int i) {
      V row;
      std::memcpy(&row, in + i * inStride, sizeof(V));
      return row;
    };
    const auto store = [&](int i, V turned) { std::memcpy(out + i * outStride, &turned, sizeof(V)); };
    const V row0 = load(0), row1 = load(1), row2 = load(2), row3 = load(3);
    const V a = __builtin_shufflevector(row0, row1, 0, 4, 1, 5), b = __builtin_shufflevector(row0, row1, 2, 6, 3, 7);
    const V c = __builtin_shufflevector(row2, row3, 0, 4, 1, 5), d = __builtin_shufflevector(row2, row3, 2, 6, 3, 7);
    store(0, __builtin_shufflevector(a, c, 0, 1, 4, 5));
    store(1, __builtin_shufflevector(a, c, 2, 3, 6, 7));
    store(2, __builtin_shufflevector(b, d, 0, 1, 4, 5));
    store(3, __builtin_shufflevector(b, d, 2, 3, 6, 7));
  } else {
    for (int r = 0; r < 4; ++r) {
      for (int c = 0; c < 4; ++c) out[r * outStride + c] = in[c * inStride + r];
    }
  }
}

/// The same for any size; full fours first, the edges element by element.
template <class T> void transposeBlock(T* out, i64 outStride, const T* in, i64 inStride, i64 rows, i64 columns) {
  const i64 fullRows = rows & ~i64{3}, fullColumns = columns & ~i64{3};
  for (i64 r = 0; r < fullRows; r += 4) {
    for (i64 c = 0; c < fullColumns; c += 4) transpose4(out + r * outStride + c, outStride, in + c * inStride + r, inStride);
    for (i64 i = r; i < r + 4; ++i) {
      for (i64 c = fullColumns; c < columns; ++c) out[i * outStride + c] = in[c * inStride + i];
    }
  }
  for (i64 r = fullRows; r < rows; ++r) {
    for (i64 c = 0; c < columns; ++c) out[r * outStride + c] = in[c * inStride + r];
  }
}

/// Columns are contiguous in the destination, rows in the source.
template <class T> void copyTransposed(T* out, const T* in, const Nest<2>& nest) {
  constexpr i64 block = 64;  // 64 x 64 f32 are 16 KiB a side: both sides stay in the first-level cache
  const i64 rowBlocks = (nest.rows() + block - 1) / block;
  i64 planes = 1;
  for (int axis = 0; axis < nest.rank() - 2; ++axis) planes *= nest.sizes[axis];
  const i64 perBlock = std::min(block, nest.rows()) * nest.columns();
  parallelFor(planes * rowBlocks, std::max<i64>(1, elementwiseGrain / perBlock), [&](i64 begin, i64 end) {
    for (i64 unit = begin; unit < end; ++unit) {
      const i64 row = unit % rowBlocks * block;
      i64 plane = unit / rowBlocks, outOffset = row * nest.rowStride(0), inOffset = row;
      for (int axis = nest.rank() - 3; axis >= 0; --axis) {
        const i64 index = plane % nest.sizes[axis];
        plane /= nest.sizes[axis];
        outOffset += index * nest.strides[0][axis];
        inOffset += index * nest.strides[1][axis];
      }
      for (i64 column = 0; column < nest.columns(); column += block) {
        transposeBlock(out + outOffset + column, nest.rowStride(0), in + inOffset + column * nest.columnStride(1),
                       nest.columnStride(1), std::min(block, nest.rows() - row), std::min(block, nest.columns() - column));
      }
    }
  });
}

/// Brings the axis that is contiguous in the source next to the innermost, if there is one and the destination's innermost
/// axis is another: then the copy is a batch of transpositions.
bool orderForTransposition(Nest<2>& nest) {
  const int last = nest.rank() - 1;
  if (nest.columnStride(0) != 1 || nest.columnStride(1) == 1) return false;
  for (int axis = 0; axis < last; ++axis) {
    if (nest.strides[1][axis] != 1 || nest.sizes[axis] < 4) continue;
    std::swap(nest.sizes[axis], nest.sizes[last - 1]);
    for (Strides& s : nest.strides) std::swap(s[axis], s[last - 1]);
    return true;
  }
  return false;
}

template <class T> void copySame(T* out, const T* in, Nest<2> nest) {
  if (orderForTransposition(nest)) return copyTransposed(out, in, nest);
  const i64 outStep = nest.columnStride(0), inStep = nest.columnStride(1);
  forEachTile(nest, [&](const Tile<2>& tile) {
    for (i64 r = 0; r < tile.rows; ++r) {
      T* to = out + tile.offset[0] + r * nest.rowStride(0);
      const T* from = in + tile.offset[1] + r * nest.rowStride(1);
      if (outStep == 1 && inStep == 1) {
        std::memcpy(to, from, static_cast<std::size_t>(tile.columns) * sizeof(T));
      } else {
        for (i64 i = 0; i < tile.columns; ++i) to[i * outStep] = from[i * inStep];
      }
    }
  });
}

template <class To, class From> void copyConverted(To* out, const From* in, const Nest<2>& nest) {
  const i64 outStep = nest.columnStride(0), inStep = nest.columnStride(1);
  forEachTile(nest, [&](const Tile<2>& tile) {
    for (i64 r = 0; r < tile.rows; ++r) {
      To* to = out + tile.offset[0] + r * nest.rowStride(0);
      const From* from = in + tile.offset[1] + r * nest.rowStride(1);
      const i64 count = tile.columns;
      if (outStep == 1 && inStep == 1) {
        // Pictures become floats and precisions change often, the other pairs seldom.
        constexpr bool often = std::is_same_v<To, float> || std::is_same_v<From, float>;
        simd::runFor<std::conditional_t<often, float, i64>>([=]() EMBER_SIMD_BODY {
          EMBER_NO_ALIAS for (i64 i = 0; i < count; ++i) to[i] = convert<To>(from[i]);
        });
      } else {
        for (i64 i = 0; i < count; ++i) to[i * outStep] = convert<To>(from[i * inStep]);
      }
    }
  });
}

/// f32 and i64 convert to and from every type in one pass. Between two others of which one is a small integer, i64 lies
/// on the way, which holds all its values: fewer loops, the same results.
constexpr bool inOnePass(DType to, DType from) {
  const auto hub = [](DType t) { return t == DType::F32 || t == DType::I64; };
  const auto small = [](DType t) { return t == DType::I32 || t == DType::I8 || t == DType::U8; };
  return hub(to) || hub(from) || !(small(to) || small(from));
}

}  // namespace

void copyInto(NDArray& destination, const NDArray& source, const char* writer) {
  if (!source.hasStorage() || !destination.hasStorage()) {
    throw StateError("copy", std::string(source.hasStorage() ? "the destination" : "the source") + " has a shape but no storage",
                     {{"source", describe("", source)}, {"destination", describe("", destination)}}, "give it values first");
  }
  const char* op = writer ? writer : "copy";
  if (destination.shape() != source.shape()) {
    const std::string from = toString(source.shape()), to = toString(destination.shape());
    throw ShapeError(op, "the source " + from + " does not fit the destination " + to, {},
                     "expand or reshape the source first");
  }
  NDArray from = source;
  // Two different views of one storage may overlap: the source is read in full before the first write.
  if (destination.storage() == source.storage() && destination.numel() > 0) {
    if (destination.offset() == source.offset() && destination.strides() == source.strides()) return;
    from = NDArray::emptyLike(source);
    copyInto(from, source, nullptr);
  }
  if (destination.numel() > 0) {
    const Nest<2> nest = makeNest<2>(destination.shape(), {destination.strides(), from.strides()});
    if (destination.dtype() == from.dtype()) {
      dispatchSize(itemSize(from.dtype()), [&](auto zero) {
        using T = decltype(zero);
        copySame(static_cast<T*>(destination.raw()), static_cast<const T*>(from.raw()), nest);
      });
    } else {
      if (!inOnePass(destination.dtype(), from.dtype())) {
        copyInto(destination, from.to(DType::I64), writer);
        return;
      }
      dispatch(destination.dtype(), [&](auto to) {
        dispatch(from.dtype(), [&](auto zero) {
          using To = decltype(to);
          using From = decltype(zero);
          if constexpr (inOnePass(DTypeOf<To>::value, DTypeOf<From>::value))
            copyConverted(destination.data<To>(), from.data<From>(), nest);
        });
      });
    }
  }
  if (writer) destination.storage()->written(writer);
}

void fill(NDArray& destination, double value, const char* writer) {
  const Nest<1> nest = makeNest<1>(destination.shape(), {destination.strides()});
  if (destination.numel() > 0) {
    dispatch(destination.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* out = destination.data<T>();
      const T element = convert<T>(value);
      forEachTile(nest, [&](const Tile<1>& tile) {
        for (i64 r = 0; r < tile.rows; ++r) {
          T* to = out + tile.offset[0] + r * nest.rowStride(0);
          if (nest.columnStride(0) == 1) {
            std::fill_n(to, tile.columns, element);
          } else {
            for (i64 i = 0; i < tile.columns; ++i) to[i * nest.columnStride(0)] = element;
          }
        }
      });
    });
  }
  if (writer) destination.storage()->written(writer);
}

}  // namespace ember::core
