#include <ember/nn/layers/JoinLayers.h>

#include <algorithm>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Rearrange.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/core/Error.h>

namespace ember::nn {

Tensors Concat::forward(const Tensors& inputs) {
  checkInputs(inputs, 1, 0);
  return {inputs.size() == 1 ? inputs[0] : concat(inputs, axis_)};
}

Split::Split(SplitOptions options) : options_(std::move(options)) {
  const std::vector<i64>& sizes = options_.sizes;
  const bool byParts = options_.parts >= 1 && sizes.empty();
  const bool bySizes =
      options_.parts == 0 && !sizes.empty() && *std::min_element(sizes.begin(), sizes.end()) >= 1;
  if (byParts || bySizes) return;
  throw ValueError("Split", "parts is " + std::to_string(options_.parts) + ", sizes is " + Value(sizes).dump(), {},
                   "give the number of equal parts, or the size of each part, 1 or more");
}

Tensors Split::forward(const Tensors& inputs) {
  checkInputs(inputs, 1, 1);
  const Tensor& x = inputs[0];
  if (!options_.sizes.empty()) return split(x, options_.sizes, options_.axis);
  const i64 length = x.size(normalizeAxis(options_.axis, x.rank(), "Split"));
  if (length % options_.parts != 0) {
    throw ShapeError("Split",
                     "axis " + std::to_string(options_.axis) + " has " + std::to_string(length) +
                         " elements, which do not make " + std::to_string(options_.parts) + " equal parts",
                     {{"input", "x " + ember::toString(x.shape())}}, "give the size of each part");
  }
  return split(x, std::vector<i64>(static_cast<std::size_t>(options_.parts), length / options_.parts), options_.axis);
}

Args Split::args() const {
  Args a{{"axis", options_.axis}};
  if (options_.sizes.empty()) return a.set("parts", options_.parts);
  return a.set("sizes", options_.sizes);
}

Split Split::fromArgs(const Args& a) {
  return Split({.parts = a.get<i64>("parts", 0),
                .sizes = a.has("sizes") ? a.get<std::vector<i64>>("sizes") : std::vector<i64>{},
                .axis = a.get<int>("axis")});
}

std::string Split::details() const {
  const std::string what =
      options_.sizes.empty() ? std::to_string(options_.parts) + " parts" : Value(options_.sizes).dump();
  return what + ", axis " + std::to_string(options_.axis);
}

Tensors Add::forward(const Tensors& inputs) {
  checkInputs(inputs, 1, 0);
  Tensor y = inputs[0];
  for (std::size_t i = 1; i < inputs.size(); ++i) y = std::move(y) + inputs[i];
  return {y};
}

Tensors Mul::forward(const Tensors& inputs) {
  checkInputs(inputs, 1, 0);
  Tensor y = inputs[0];
  for (std::size_t i = 1; i < inputs.size(); ++i) y = y * inputs[i];
  return {y};
}

Replicate::Replicate(i64 times) : times_(times) {
  if (times < 1 || times > 4096)
    throw ValueError("Replicate", "times is " + std::to_string(times), {}, "use 1 to 4096");
}

Tensors Replicate::forward(const Tensors& inputs) {
  checkInputs(inputs, 1, 1);
  return Tensors(static_cast<std::size_t>(times_), inputs[0]);
}

}  // namespace ember::nn
