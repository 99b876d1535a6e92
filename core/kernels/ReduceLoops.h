#pragma once
#include <algorithm>
#include <initializer_list>
#include <memory>
#include <vector>

#include <ember/core/kernels/Fold.h>
#include <ember/core/kernels/Strided.h>

/// The loops under every reduction. In memory order the innermost axis of x is either reduced (a result comes from runs) or
/// kept (a vector of results comes from rows); the other axes are loops around that. The reduced elements of each result are
/// cut into blocks of a fixed size, whose partial results are joined in order: the outcome depends on x and its strides,
/// never on the number of threads.
namespace ember::core {

struct ReducePlan {
  Dims keptSizes;                          ///< loops over results (or over vectors of them)
  std::array<Strides, 2> keptStrides;      ///< of the result, of x
  Dims reducedSizes;                       ///< loops around the run
  std::array<Strides, 1> reducedStrides;   ///< of x
  i64 run = 1, runStride = 0;              ///< innermost reduced loop
  i64 width = 1, widthStride = 0, outStride = 0;  ///< the vector of results; one if the innermost axis is reduced
  i64 kept = 1, runs = 1;                  ///< products of keptSizes and reducedSizes

  /// `out` has x's shape with size 1 on the reduced axes.
  ReducePlan(const NDArray& x, const std::vector<bool>& reduced, const NDArray& out) {
    std::vector<int> axes;
    for (int i = 0; i < x.rank(); ++i) {
      if (x.shape()[i] != 1) axes.push_back(i);
    }
    std::stable_sort(axes.begin(), axes.end(), [&](int a, int b) { return x.strides()[a] > x.strides()[b]; });
    const auto push = [](Dims& sizes, std::initializer_list<Strides*> strides, i64 size, std::initializer_list<i64> values) {
      const int last = sizes.rank() - 1;
      bool joins = last >= 0;
      auto value = values.begin();
      for (Strides* s : strides) joins = joins && (*s)[last] == *value++ * size;
      if (joins) {
        sizes[last] *= size;
      } else {
        sizes.push(size);
      }
      value = values.begin();
      for (Strides* s : strides) {
        if (!joins) s->push(0);
        (*s)[sizes.rank() - 1] = *value++;
      }
    };
    for (const int axis : axes) {
      const i64 size = x.shape()[axis], stride = x.strides()[axis];
      if (reduced[static_cast<std::size_t>(axis)]) {
        push(reducedSizes, {&reducedStrides[0]}, size, {stride});
      } else {
        push(keptSizes, {&keptStrides[0], &keptStrides[1]}, size, {out.strides()[axis], stride});
      }
    }
    if (!axes.empty() && !reduced[static_cast<std::size_t>(axes.back())]) {
      const int last = keptSizes.rank() - 1;
      width = keptSizes[last];
      outStride = keptStrides[0][last];
      widthStride = keptStrides[1][last];
      keptSizes.erase(last);
      for (Strides& s : keptStrides) s.erase(last);
    }
    if (!reducedSizes.empty()) {
      const int last = reducedSizes.rank() - 1;
      run = reducedSizes[last];
      runStride = reducedStrides[0][last];
      reducedSizes.erase(last);
      reducedStrides[0].erase(last);
    }
    for (const i64 size : keptSizes) kept *= size;
    for (const i64 size : reducedSizes) runs *= size;
  }
};

/// Each result from one run that is no longer than a block: no partial results, and as little as possible around a run.
template <class Fold, class T, class R, class Finish>
void reduceRuns(const ReducePlan& plan, R* out, const T* in, Finish finish) {
  parallelFor(plan.kept, std::max<i64>(1, elementwiseGrain / plan.run), [&](i64 begin, i64 end) {
    simd::runFor<T>([&, begin, end]() EMBER_SIMD_BODY {
      Odometer<2> results(plan.keptSizes, plan.keptStrides, begin);
      for (i64 i = begin; i < end; ++i, results.next()) {
        out[results.offset(0)] = finish(foldRun<Fold>(in + results.offset(1), plan.run, plan.runStride));
      }
    });
  });
}

/// out[..] = finish(fold of x over the reduced axes). x has at least one element.
template <class Fold, class T, class R, class Finish>
void reduceBlocks(const ReducePlan& plan, R* out, const T* in, Finish finish) {
  using Acc = typename Fold::Acc;
  constexpr i64 blockElements = 32768, widest = 256;
  if (plan.width == 1 && plan.runs == 1 && plan.run <= blockElements) return reduceRuns<Fold>(plan, out, in, finish);
  const i64 width = std::min(plan.width, widest), chunks = (plan.width + width - 1) / width;
  // A block is a piece of one long run or several short runs.
  const i64 pieceRows = std::min(plan.run, std::max<i64>(1, blockElements / width));
  const i64 pieces = (plan.run + pieceRows - 1) / pieceRows;
  const i64 piecesPerBlock = std::max<i64>(1, blockElements / (width * pieceRows));
  const i64 blocks = (plan.runs * pieces + piecesPerBlock - 1) / piecesPerBlock;
  const i64 units = plan.kept * chunks * blocks, unitElements = std::min(piecesPerBlock, plan.runs * pieces) * pieceRows * width;
  const auto partial = std::make_unique<Acc[]>(static_cast<std::size_t>(blocks > 1 ? units * width : 0));

  const auto foldBlock = [&](Acc* acc, const T* x, i64 block, i64 columns) {
    const i64 first = block * piecesPerBlock, last = std::min(plan.runs * pieces, first + piecesPerBlock);
    Odometer<1> runs(plan.reducedSizes, plan.reducedStrides, first / pieces);
    for (i64 piece = first; piece < last; ++piece) {
      const i64 row = piece % pieces * pieceRows, rows = std::min(pieceRows, plan.run - row);
      const T* from = x + runs.offset(0) + row * plan.runStride;
      if (columns == 1) {
        // The detour to wider instructions does not pay for a few elements.
        if (rows < 64) {
          *acc = Fold::join(*acc, foldRun<Fold>(from, rows, plan.runStride));
        } else {
          simd::runFor<T>([=, &plan]() EMBER_SIMD_BODY { *acc = Fold::join(*acc, foldRun<Fold>(from, rows, plan.runStride)); });
        }
      } else {
        simd::runFor<T>([=, &plan]() EMBER_SIMD_BODY { foldRows<Fold>(acc, from, rows, plan.runStride, columns, plan.widthStride); });
      }
      if ((piece + 1) % pieces == 0) runs.next();
    }
  };

  const i64 unitsPerResult = chunks * blocks;
  parallelFor(units, std::max<i64>(1, elementwiseGrain / unitElements), [&](i64 begin, i64 end) {
    Odometer<2> results(plan.keptSizes, plan.keptStrides, begin / unitsPerResult);
    Acc local[widest];
    for (i64 unit = begin; unit < end; ++unit) {
      const i64 column = unit / blocks % chunks * width, columns = std::min(width, plan.width - column);
      Acc* acc = blocks > 1 ? partial.get() + unit * width : local;
      std::fill_n(acc, columns, Fold::identity);
      foldBlock(acc, in + results.offset(1) + column * plan.widthStride, unit % blocks, columns);
      if (blocks == 1) {
        R* to = out + results.offset(0) + column * plan.outStride;
        for (i64 c = 0; c < columns; ++c) to[c * plan.outStride] = finish(acc[c]);
      }
      if ((unit + 1) % unitsPerResult == 0) results.next();
    }
  });
  if (blocks == 1) return;
  Odometer<2> results(plan.keptSizes, plan.keptStrides, 0);
  for (i64 unit = 0; unit < units; unit += blocks) {
    const i64 column = unit / blocks % chunks * width, columns = std::min(width, plan.width - column);
    for (i64 c = 0; c < columns; ++c) {
      Acc total = partial[static_cast<std::size_t>(unit * width + c)];
      for (i64 b = 1; b < blocks; ++b) total = Fold::join(total, partial[static_cast<std::size_t>((unit + b) * width + c)]);
      out[results.offset(0) + (column + c) * plan.outStride] = finish(total);
    }
    if ((unit + blocks) % unitsPerResult == 0) results.next();
  }
}

}  // namespace ember::core
