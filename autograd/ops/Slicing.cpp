#include <ember/autograd/ops/Slicing.h>

#include <algorithm>
#include <limits>
#include <string>

#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Indexing.h>
#include <ember/autograd/ops/Rearrange.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>

namespace ember {

using namespace autograd;

namespace {

constexpr const char* op = "index";

Tensor sliced(const Tensor& x, int axis, const Range& s) {
  if (s.step == 0) throw ValueError(op, "the step is 0", {}, "use a positive or a negative step");
  const i64 size = x.size(axis);
  const auto place = [&](const std::optional<i64>& given, i64 otherwise, i64 low, i64 high) {
    if (!given) return otherwise;
    return std::clamp(*given < 0 ? *given + size : *given, low, high);
  };
  if (s.step > 0) return slice(x, axis, place(s.start, 0, 0, size), place(s.stop, size, 0, size), s.step);
  // The same elements upwards, then turned.
  const i64 first = place(s.start, size - 1, -1, size - 1), stop = place(s.stop, -1, -1, size - 1);
  if (first <= stop) return slice(x, axis, 0, 0);
  const i64 step = s.step == std::numeric_limits<i64>::min() ? std::numeric_limits<i64>::max() : -s.step;
  const i64 lowest = first - (first - stop - 1) / step * step;
  return flip(slice(x, axis, lowest, first + 1, step), {axis});
}

// x with the axes from `axis` on that the mask has made one: that of the places where it is true.
Tensor masked(const Tensor& x, int axis, const Tensor& mask) {
  Shape shape = x.shape();
  for (int i = 0; i < mask.rank(); ++i) {
    if (axis + i >= x.rank() || shape[axis + i] != mask.size(i)) {
      throw ShapeError(op,
                       "the mask is " + toString(mask.shape()) + ", x from axis " + std::to_string(axis) + " on is " +
                           toString(x.shape()),
                       {}, "a mask has the sizes of the axes that it stands for");
    }
  }
  shape.insert(axis, mask.numel());
  for (int i = 0; i < mask.rank(); ++i) shape.erase(axis + 1);
  return indexSelect(reshape(x, shape), axis, reshape(nonZero(reshape(mask, {-1})), {-1}));
}

int axesOf(const Index& index) {
  if (std::holds_alternative<Ellipsis>(index.value()) || std::holds_alternative<NewAxis>(index.value())) return 0;
  const Tensor* chosen = std::get_if<Tensor>(&index.value());
  return chosen && chosen->dtype() == DType::Bool ? chosen->rank() : 1;
}

}  // namespace

Tensor index(const Tensor& x, const std::vector<Index>& at) {
  checkOperands(op, {&x});
  int named = 0, dots = 0, tensors = 0;
  for (const Index& each : at) {
    if (const Tensor* chosen = std::get_if<Tensor>(&each.value())) {
      checkOperands(op, {&x, chosen});
      ++tensors;
    }
    dots += std::holds_alternative<Ellipsis>(each.value());
    named += axesOf(each);
  }
  if (named > x.rank()) {
    throw ShapeError(op, std::to_string(named) + " axes are named, x has " + std::to_string(x.rank()),
                     {{"x", toString(x.shape())}});
  }
  if (dots > 1) throw ValueError(op, "there are " + std::to_string(dots) + " ellipses", {}, "one at most can be told");
  if (tensors > 1) {
    throw ValueError(op, std::to_string(tensors) + " tensors choose", {}, "index once for each, or use gather()");
  }
  Tensor y = x;
  int axis = 0;
  for (const Index& each : at) {
    if (const i64* position = std::get_if<i64>(&each.value())) {
      y = select(y, axis, *position);
    } else if (const Range* part = std::get_if<Range>(&each.value())) {
      y = sliced(y, axis++, *part);
    } else if (std::holds_alternative<Ellipsis>(each.value())) {
      axis += x.rank() - named;
    } else if (std::holds_alternative<NewAxis>(each.value())) {
      y = unsqueeze(y, axis++);
    } else {
      const Tensor& chosen = std::get<Tensor>(each.value());
      const bool mask = chosen.dtype() == DType::Bool;
      y = mask ? masked(y, axis, chosen) : indexSelect(y, axis, chosen);
      axis += mask ? 1 : chosen.rank();
    }
  }
  return y;
}

}  // namespace ember
