#include <ember/autograd/ops/Sorting.h>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Indexing.h>
#include <ember/core/kernels/Sort.h>

namespace ember {

using namespace autograd;

namespace {

Tensor order(const char* op, const Tensor& x, i64 count, int axis, bool descending) {
  Shape shape = x.shape();
  shape[axis] = count;
  return apply(
      op, {&x}, shape, DType::I64, [&] { return core::argsort(x.array(), axis, descending, count, op); }, nullptr);
}

}  // namespace

Sorted sort(const Tensor& x, int axis, bool descending) {
  checkOperands("sort", {&x});
  axis = normalizeAxis(axis, x.rank(), "sort");
  const Tensor indices = order("sort", x, x.size(axis), axis, descending);
  return {gather(x, axis, indices), indices};
}

Tensor argsort(const Tensor& x, int axis, bool descending) {
  checkOperands("argsort", {&x});
  axis = normalizeAxis(axis, x.rank(), "argsort");
  return order("argsort", x, x.size(axis), axis, descending);
}

Sorted topk(const Tensor& x, i64 count, int axis, bool largest) {
  checkOperands("topk", {&x});
  axis = normalizeAxis(axis, x.rank(), "topk");
  const Tensor indices = order("topk", x, count, axis, largest);
  return {gather(x, axis, indices), indices};
}

}  // namespace ember
