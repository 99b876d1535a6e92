#include <ember/autograd/ops/Embedding.h>

#include <algorithm>
#include <string>
#include <vector>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/MatMul.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/Indexing.h>

namespace ember {

using namespace autograd;

namespace {

using Indices = std::vector<i64>;
constexpr i64 noPadding = -1;

/// [rows, dim] with row indices[i] the sum of those rows i of x that have this index; row `padding` stays 0. Threads
/// share the columns, so each sum has one order.
template <class T>
void addRows(const T* x, const Indices& indices, i64 padding, i64 dim, T* to) {
  core::parallelFor(dim, std::max<i64>(16, 32768 / std::max<i64>(1, static_cast<i64>(indices.size()))),
                    [&](i64 begin, i64 end) {
                      for (std::size_t i = 0; i < indices.size(); ++i) {
                        if (indices[i] == padding) continue;
                        const T* from = x + static_cast<i64>(i) * dim;
                        T* row = to + indices[i] * dim;
                        for (i64 d = begin; d < end; ++d) row[d] += from[d];
                      }
                    });
}

Tensor takeUnpadded(const Tensor& table, const Indices& indices, i64 padding);

/// The adjoint of taking rows: x [n, dim] -> [rows, dim].
Tensor sumRows(const Tensor& x, const Indices& indices, i64 rows, i64 padding) {
  const auto kernel = [&] {
    const core::NDArray in = x.array().contiguous();
    const core::NDArray out = core::NDArray::zeros({rows, x.size(1)}, x.dtype());
    if (x.dtype() == DType::F64) {
      addRows(in.data<double>(), indices, padding, x.size(1), out.data<double>());
    } else {
      addRows(in.data<float>(), indices, padding, x.size(1), out.data<float>());
    }
    return out;
  };
  return apply(
      "embeddingBackward", {&x}, {rows, x.size(1)}, x.dtype(), kernel,
      [indices, padding](const BackwardContext& c) { return Tensors{takeUnpadded(c.grad(), indices, padding)}; });
}

core::NDArray rowsOf(const core::NDArray& table, const Indices& indices) {
  return core::takeRows(table.contiguous(), indices);
}

/// Rows of the table, zeros where the index is `padding`: the adjoint of sumRows.
Tensor takeUnpadded(const Tensor& table, const Indices& indices, i64 padding) {
  const auto kernel = [&] {
    core::NDArray source = table.array();
    if (padding != noPadding) {
      source = source.copy();
      core::NDArray row = source.select(0, padding);
      core::fill(row, 0, nullptr);
    }
    return rowsOf(source, indices);
  };
  return apply("embedding", {&table}, {static_cast<i64>(indices.size()), table.size(1)}, table.dtype(), kernel,
               [indices, padding, rows = table.size(0)](const BackwardContext& c) {
                 return Tensors{sumRows(c.grad(), indices, rows, padding)};
               });
}

/// "[1, 2]": the place of element i.
std::string placeOf(i64 i, const Shape& shape) {
  Dims place = Dims::filled(shape.rank(), 0);
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    place[axis] = i % shape[axis];
    i /= shape[axis];
  }
  return toString(place);
}

void checkIndices(const char* op, const Indices& indices, const Shape& shape, i64 rows) {
  const auto bad = std::find_if(indices.begin(), indices.end(), [&](i64 v) { return v < 0 || v >= rows; });
  if (bad == indices.end()) return;
  throw ValueError(op,
                   "index " + std::to_string(*bad) + " at " + placeOf(bad - indices.begin(), shape) +
                       ", the table has " + std::to_string(rows) + " rows",
                   {}, "indices go from 0 to " + std::to_string(rows - 1));
}

}  // namespace

Tensor embedding(const Tensor& indices, const Tensor& weight, std::optional<i64> padding) {
  constexpr const char* op = "embedding";
  checkOperands(op, {&indices, &weight});
  checkFloating(op, weight, "weight");
  if (indices.dtype() != DType::I64) {
    throw DtypeError(op, "indices are " + std::string(name(indices.dtype())) + ", expected i64", {},
                     "use to(DType::I64)");
  }
  if (weight.rank() != 2) throw ShapeError(op, "weight is " + toString(weight.shape()) + ", expected [rows, dim]");
  const i64 rows = weight.size(0), dim = weight.size(1);
  if (padding && (*padding < -rows || *padding >= rows)) {
    throw ValueError(op, "padding is row " + std::to_string(*padding) + " of " + std::to_string(rows));
  }
  const i64 padded = !padding ? noPadding : *padding < 0 ? *padding + rows : *padding;
  Shape shape = indices.shape();
  shape.push(dim);
  const bool hollow = indices.isShapeOnly() || weight.isShapeOnly();
  const Indices list = hollow ? Indices() : indices.array().toVector<i64>();
  if (!hollow) checkIndices(op, list, indices.shape(), rows);
  return apply(
      op, {&indices, &weight}, shape, weight.dtype(), [&] { return *rowsOf(weight.array(), list).viewAs(shape); },
      [list, rows, dim, padded](const BackwardContext& c) {
        const Tensor flat = reshape(c.grad(), {static_cast<i64>(list.size()), dim});
        return Tensors{Tensor(), sumRows(flat, list, rows, padded)};
      });
}

Tensor groupedLinear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  constexpr const char* op = "groupedLinear";
  checkOperands(op, {&x, &weight, bias.defined() ? &bias : nullptr});
  checkFloating(op, x);
  checkSameDtype(op, x, weight, "x", "weight");
  if (bias.defined()) checkSameDtype(op, x, bias, "x", "bias");
  if (weight.rank() != 3)
    throw ShapeError(op, "weight is " + toString(weight.shape()) + ", expected [groups, out, in]");
  const i64 groups = weight.size(0), out = weight.size(1), in = weight.size(2);
  if (x.rank() < 1 || x.shape().back() != groups * in) {
    throw ShapeError(op, "x is " + toString(x.shape()) + ", expected a last axis of " + std::to_string(groups * in), {},
                     std::to_string(groups) + " groups take " + std::to_string(in) + " each");
  }
  if (bias.defined() && bias.shape() != Shape{groups * out}) {
    throw ShapeError(op, "bias is " + toString(bias.shape()) + ", expected [" + std::to_string(groups * out) + "]");
  }
  Shape shape = x.shape();
  shape[x.rank() - 1] = groups * out;
  i64 samples = 1;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) samples *= x.shape()[axis];
  const Tensor parts = permute(reshape(x, {samples, groups, in}), {1, 0, 2});  // [groups, samples, in]
  const Tensor y = reshape(permute(matmul(parts, transpose(weight, 1, 2)), {1, 0, 2}), shape);
  return bias.defined() ? y + bias : y;
}

}  // namespace ember
