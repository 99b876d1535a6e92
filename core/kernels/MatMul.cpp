#include <ember/core/kernels/MatMul.h>

#include <cblas.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/kernels/Elementwise.h>
#include <ember/core/kernels/Epilogue.h>
#include <ember/core/kernels/MatrixView.h>
#include <ember/core/kernels/ProductChecks.h>
#include <ember/core/kernels/onednn/Product.h>
#include <ember/core/kernels/reference/MatMul.h>

namespace ember::core {
namespace {

std::string sizes(const Shape& shape) {
  std::string text;
  for (int i = 0; i < shape.rank(); ++i) text += (i > 0 ? "x" : "") + std::to_string(shape[i]);
  return text;
}

NDArray leadingOnes(NDArray x, int rank) {
  while (x.rank() < rank) x = x.unsqueeze(0);
  return x;
}

/// An axis that expand() repeated shrinks back to size 1 where the other operand has the full size.
void undoExpansion(NDArray& a, NDArray& b) {
  for (int i = 0; i < a.rank() - 2; ++i) {
    if (a.size(i) == b.size(i) && a.size(i) > 1) {
      if (a.strides()[i] == 0) {
        a = a.slice(i, 0, 1);
      } else if (b.strides()[i] == 0) {
        b = b.slice(i, 0, 1);
      }
    }
  }
}

i64 batchOf(const Shape& shape) {
  i64 count = 1;
  for (int i = 0; i < shape.rank() - 2; ++i) count *= shape[i];
  return count;
}

/// x with all but the last two axes in one, if that needs no copy.
std::optional<NDArray> oneBatchAxis(const NDArray& x) { return x.viewAs({batchOf(x.shape()), x.size(-2), x.size(-1)}); }

/// [B.., M, K] as [B·M, K].
std::optional<NDArray> asRows(const NDArray& x) { return x.viewAs({batchOf(x.shape()) * x.size(-2), x.size(-1)}); }

bool fitsBlas(const MatrixView& m) {
  constexpr i64 most = std::numeric_limits<blasint>::max();
  return m.shape.back() <= most && m.shape[m.shape.rank() - 2] <= most && m.leading() <= most;
}

/// y += a · b in f64, one BLAS call a matrix; y holds the bias or zeros.
void addProduct(const MatrixView& a, const MatrixView& b, const NDArray& y) {
  if (!fitsBlas(a) || !fitsBlas(b)) {
    reference::addProduct(a, b, y);
    return;
  }
  const int rank = y.rank();
  const auto m = static_cast<blasint>(y.size(-2)), n = static_cast<blasint>(y.size(-1)),
             k = static_cast<blasint>(a.shape.back());
  const i64 batch = batchOf(y.shape());
  for (i64 item = 0; item < batch; ++item) {
    i64 offsetA = 0, offsetB = 0, rest = item;
    for (int axis = rank - 3; axis >= 0; --axis) {
      const i64 index = rest % y.size(axis);
      rest /= y.size(axis);
      if (a.shape[axis] > 1) offsetA += index * a.strides[axis];
      if (b.shape[axis] > 1) offsetB += index * b.strides[axis];
    }
    cblas_dgemm(CblasRowMajor, a.transposed() ? CblasTrans : CblasNoTrans, b.transposed() ? CblasTrans : CblasNoTrans,
                m, n, k, 1.0, a.array.data<double>() + offsetA, static_cast<blasint>(a.leading()),
                b.array.data<double>() + offsetB, static_cast<blasint>(b.leading()), 1.0,
                y.data<double>() + item * m * n, n);
  }
}

/// y = act(a · b + bias) into a new row-major array of shape `yShape`; all of one rank, nothing empty. `joined`: oneDNN
/// may do what act does.
NDArray multiply(const NDArray& left, const NDArray& right, const NDArray& bias, const Shape& yShape,
                 bool keepsRight = false, const FusedAct& act = {}, bool joined = false) {
  const MatrixView a(left), b(right);
  NDArray y = NDArray::empty(yShape, left.dtype());
  if (left.dtype() == DType::F32 && onednn::product(a, b, bias, y, keepsRight, joined ? act : FusedAct{})) {
    if (!joined) finish(y, {}, act);
    return y;
  }
  y = NDArray::zeros(yShape, left.dtype());
  if (bias.defined()) reference::addToRows(y, bias);
  if (left.dtype() == DType::F64) {
    addProduct(a, b, y);
  } else {
    reference::addProduct(a, b, y);
  }
  finish(y, {}, act);
  return y;
}

/// Of a product with so many results, for a ComputeScope: of few rows, reading the operands takes longer than
/// multiplying.
double work(const NDArray& a, const NDArray& b, i64 results) {
  const double inner = static_cast<double>(a.shape().back());
  return static_cast<double>(results) * inner + 4 * static_cast<double>(a.numel() + b.numel());
}

/// Whether x·wᵀ is faster as (w·xᵀ)ᵀ: oneDNN copies the right operand into its own layout first, and the copy of a
/// batch is smaller than that of the weights. Measured (f32, AVX-512): 1.1 times as fast for 32x784 -> 256, 32x256 ->
/// 256 and 64x3136 -> 512; slower with more rows than outputs, with few rows, and where the rows do not fill vectors.
bool turningPays(i64 rows, i64 outputs) { return rows >= 32 && rows % 16 == 0 && outputs >= 2 * rows; }

/// act(x·wᵀ + bias) in f32 so, or undefined if oneDNN has no kernel for it; nothing empty.
NDArray turnedProduct(const NDArray& x, const NDArray& w, const NDArray& bias, const FusedAct& act) {
  const NDArray turned = NDArray::empty({w.size(0), x.size(0)}, DType::F32);
  if (!onednn::product(MatrixView(w), MatrixView(x.transpose(0, 1)), {}, turned)) return {};
  NDArray y = NDArray::empty({x.size(0), w.size(0)}, DType::F32);
  copyInto(y, turned.transpose(0, 1), nullptr);
  finishRows(y, bias, act);
  return y;
}

/// The product of operands with at least two axes each; shapes checked, nothing empty.
NDArray batched(NDArray a, NDArray b, const Shape& yShape) {
  const int rank = yShape.rank();
  if (rank == 2) return multiply(a, b, {}, yShape);
  a = leadingOnes(a, rank);
  b = leadingOnes(b, rank);
  undoExpansion(a, b);
  const i64 batchA = batchOf(a.shape()), batchB = batchOf(b.shape()), batch = batchOf(yShape);
  if (batchB == 1) {
    if (const auto rows = asRows(a)) {
      const i64 count = rows->size(0), columns = yShape.back();
      return multiply(*rows, b.reshape({b.size(-2), columns}), {}, {count, columns}).reshape(yShape);
    }
  }
  if (rank > 3 && (batchA == 1 || batchA == batch) && (batchB == 1 || batchB == batch)) {
    const auto flatA = oneBatchAxis(a), flatB = oneBatchAxis(b);
    if (flatA && flatB) return multiply(*flatA, *flatB, {}, {batch, yShape[rank - 2], yShape.back()}).reshape(yShape);
  }
  return multiply(a, b, {}, yShape);
}

}  // namespace

Shape matmulShape(const Shape& a, const Shape& b, const char* op) {
  if (a.rank() == 0 || b.rank() == 0) throw ShapeError(op, "a scalar has no matrix product", {}, "multiply with *");
  const i64 inner = b.rank() == 1 ? b[0] : b[b.rank() - 2];
  if (a.back() != inner) {
    throw ShapeError(
        op, "shapes cannot be multiplied (" + sizes(a) + " and " + sizes(b) + ")",
        {{"rule", "the last size of a, " + std::to_string(a.back()) + ", must equal " +
                      (b.rank() == 1 ? "the size of b, " : "the last but one of b, ") + std::to_string(inner)}});
  }
  Shape batchA = a, batchB = b;
  for (int i = 0; i < std::min(2, a.rank()); ++i) batchA.erase(batchA.rank() - 1);
  for (int i = 0; i < std::min(2, b.rank()); ++i) batchB.erase(batchB.rank() - 1);
  Shape y = broadcastShapes(batchA, batchB, op);
  if (a.rank() > 1) y.push(a[a.rank() - 2]);
  if (b.rank() > 1) y.push(b.back());
  return y;
}

NDArray matmul(const NDArray& a, const NDArray& b) {
  const Shape yShape = matmulShape(a.shape(), b.shape(), "matmul");
  checkProductTypes("matmul", a, "a", b, "b");
  const ComputeScope scope(work(a, b, numel(yShape)));
  if (a.numel() == 0 || b.numel() == 0 || numel(yShape) == 0) return NDArray::zeros(yShape, a.dtype());
  if (a.rank() > 1 && b.rank() > 1) return batched(a, b, yShape);
  const NDArray left = a.rank() == 1 ? a.unsqueeze(0) : a, right = b.rank() == 1 ? b.unsqueeze(1) : b;
  return batched(left, right, matmulShape(left.shape(), right.shape(), "matmul")).reshape(yShape);
}

NDArray linear(const NDArray& x, const NDArray& w, const NDArray& bias, bool keepsW, const FusedAct& act) {
  const auto details = [&] { return Error::Details{{"input", describe("x", x)}, {"weights", describe("w", w)}}; };
  if (x.rank() != 2 || w.rank() != 2) {
    throw ShapeError("linear",
                     "input has rank " + std::to_string(x.rank()) + " and weights rank " + std::to_string(w.rank()) +
                         ", expected 2 and 2",
                     details(), "flatten the input to [N, features]");
  }
  if (x.size(1) != w.size(1)) {
    throw ShapeError(
        "linear", "input has " + std::to_string(x.size(1)) + " features, weights expect " + std::to_string(w.size(1)),
        details(), "build the layer with " + std::to_string(x.size(1)) + " input features");
  }
  checkProductTypes("linear", x, "x", w, "w");
  checkBias("linear", bias, x, w);
  const Shape yShape{x.size(0), w.size(0)};
  const ComputeScope scope(work(x, w, numel(yShape)));
  const NDArray offsets = bias.defined() ? bias.contiguous() : bias;
  if (x.numel() == 0 || w.numel() == 0) {
    const NDArray y = NDArray::zeros(yShape, x.dtype());
    if (bias.defined()) reference::addToRows(y, offsets);
    finish(y, {}, act);
    return y;
  }
  if (x.dtype() == DType::F32 && !keepsW && turningPays(x.size(0), w.size(0))) {
    const NDArray y = turnedProduct(x, w, offsets, act);
    if (y.defined()) return y;
  }
  // For small results a pass of its own takes less than looking whether the operands are finite. Weights that change
  // would have to be looked at each time.
  constexpr i64 worthJoining = 4096;
  const bool joined = keepsW && !act.none() && x.dtype() == DType::F32 && numel(yShape) >= worthJoining &&
                      joinsExactly(act, {&w, &offsets, &x});
  const NDArray y = multiply(x, w.transpose(0, 1), offsets, yShape, keepsW, act, joined);
  if (joined && act.kind == FusedAct::Kind::Relu) markFinite(y);
  return y;
}

}  // namespace ember::core
