#include <ember/autograd/Tensor.h>

#include <ember/autograd/Deferred.h>
#include <ember/autograd/Graph.h>
#include <ember/autograd/Op.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/autograd/ops/Slicing.h>
#include <ember/core/Error.h>
#include <ember/core/kernels/Elementwise.h>

namespace ember {
namespace {

autograd::TensorImpl& checked(const std::shared_ptr<autograd::TensorImpl>& impl, const char* what) {
  if (!impl) throw StateError(what, "the tensor is undefined", {}, "give it a value first");
  return *impl;
}

// The array behind a handle whose value someone other than an op wants.
const core::NDArray& present(const std::shared_ptr<autograd::TensorImpl>& impl, const char* reader) {
  checked(impl, reader).settle();
  const core::NDArray& array = impl->array;
  if (array.version() != impl->version) {
    const std::string writer = array.storage()->lastWriter();
    throw StateError(reader, "the tensor was overwritten in place by " + writer,
                     {{"tensor", toString(array.shape())}, {"reader", reader}, {"writer", writer}},
                     "read it before the write, or keep its value with clone()");
  }
  return array;
}

// What is about to be read while `target` is written: a copy if the two share memory.
core::NDArray readable(const core::NDArray& source, const core::NDArray& target) {
  return source.storage() && source.storage() == target.storage() ? source.copy() : source;
}

}  // namespace

Tensor::Tensor(core::NDArray array, bool requiresGrad) : impl_(std::make_shared<autograd::TensorImpl>()) {
  impl_->version = array.version();
  impl_->array = std::move(array);
  if (requiresGrad) setRequiresGrad();
}

// ---- asking ----

bool Tensor::isShapeOnly() const {
  return !checked(impl_, "isShapeOnly").waiting.load(std::memory_order_acquire) && !impl_->array.hasStorage();
}
const Shape& Tensor::shape() const { return checked(impl_, "shape").array.shape(); }
i64 Tensor::size(int axis) const { return checked(impl_, "size").array.size(axis); }
int Tensor::rank() const { return checked(impl_, "rank").array.rank(); }
i64 Tensor::numel() const { return checked(impl_, "numel").array.numel(); }
DType Tensor::dtype() const { return checked(impl_, "dtype").array.dtype(); }
double Tensor::item() const { return readBy("item").item(); }
const core::NDArray& Tensor::array() const { return present(impl_, "array"); }

const core::NDArray& Tensor::readBy(const char* reader) const {
  const core::NDArray& array = present(impl_, reader);
  if (array.hasStorage()) return array;
  throw StateError(reader, "the tensor " + toString(array.shape()) + " has a shape but no values", {},
                   "a forward that reads values cannot be run without data, as summary() runs it: let it depend on "
                   "shapes alone, or ask isShapeOnly() first");
}

// ---- gradients ----

bool Tensor::requiresGrad() const { return checked(impl_, "requiresGrad").requiresGrad; }
bool Tensor::isLeaf() const { return !checked(impl_, "isLeaf").node; }
Tensor Tensor::grad() const { return checked(impl_, "grad").grad; }
void Tensor::zeroGrad() { checked(impl_, "zeroGrad").grad = {}; }

Tensor& Tensor::setRequiresGrad(bool value) {
  autograd::TensorImpl& impl = checked(impl_, "setRequiresGrad");
  if (impl.node)
    throw StateError("setRequiresGrad", "the tensor is the result of " + std::string(impl.node->op) + ", not a leaf",
                     {}, "call detach() first");
  if (value) autograd::checkFloating("setRequiresGrad", *this, "the tensor");
  impl.requiresGrad = value;
  return *this;
}

void Tensor::setGrad(const Tensor& gradient) {
  autograd::TensorImpl& impl = checked(impl_, "setGrad");
  if (gradient.defined() && gradient.shape() != impl.array.shape()) {
    throw ShapeError("setGrad",
                     "the gradient is " + toString(gradient.shape()) + ", the tensor " + toString(impl.array.shape()));
  }
  if (gradient.defined() && gradient.dtype() != impl.array.dtype()) {
    throw DtypeError("setGrad", "the gradient is " + std::string(name(gradient.dtype())) + ", the tensor " +
                                    std::string(name(impl.array.dtype())));
  }
  if (gradient.defined() && gradient.isShapeOnly())
    throw StateError("setGrad", "the gradient has a shape but no storage");
  impl.grad = gradient;
}

void Tensor::registerHook(GradientHook hook) const {
  autograd::TensorImpl& impl = checked(impl_, "registerHook");
  if (!hook) throw ValueError("registerHook", "the hook is empty", {}, "pass a function");
  if (!impl.requiresGrad)
    throw StateError("registerHook", "the tensor requires no gradient, so the hook would never run");
  if (impl.node) {
    impl.node->hooks.emplace_back(impl.output, std::move(hook));
  } else {
    impl.hooks.push_back(std::move(hook));
  }
}

Tensor Tensor::detach() const {
  checked(impl_, "detach").settle();
  auto impl = std::make_shared<autograd::TensorImpl>();
  impl->array = impl_->array;
  impl->version = impl_->version;
  autograd::markView(*impl, impl_);
  return Tensor(std::move(impl));
}

Tensor Tensor::clone() const { return Tensor(isShapeOnly() ? impl_->array : array().copy()); }

// ---- writing ----

core::NDArray& Tensor::writable(const char* writer) {
  autograd::TensorImpl& impl = checked(impl_, writer);
  autograd::settleWaiting();
  impl.settle();
  if (impl.node) {
    throw StateError(
        writer,
        "the tensor is the result of " + std::string(impl.node->op) + "; only leaves and buffers are written in place",
        {},
        "write into its clone(); to write into a part of a leaf, take the view inside a NoGrad scope");
  }
  if (impl.requiresGrad && gradEnabled()) {
    throw StateError(writer, "a leaf that requires a gradient is written in place while gradients are recorded", {},
                     "wrap the write in a NoGrad scope");
  }
  if (!impl.array.hasStorage())
    throw StateError(writer, "the tensor " + toString(impl.array.shape()) + " has a shape but no storage");
  for (int i = 0; i < impl.array.rank(); ++i) {
    if (impl.array.strides()[i] == 0 && impl.array.size(i) > 1) {
      throw StateError(writer, "the tensor is expanded: several of its elements are one place in memory",
                       {{"tensor", toString(impl.array.shape())}}, "write into clone() instead");
    }
  }
  impl.version = impl.array.storage()->written(writer);
  // What this is a view of has the new value, unless someone else wrote since it was last valid. Operands that a graph
  // has saved are not touched by this: Saved compares versions of its own.
  if (const auto origin = impl.origin.lock();
      origin && origin->array.storage() == impl.array.storage() && origin->version + 1 == impl.version) {
    origin->version = impl.version;
  }
  return impl.array;
}

void Tensor::copy_(const Tensor& source, const char* writer) {
  if (source.shape() != shape()) {
    throw ShapeError(writer, "cannot copy " + toString(source.shape()) + " into " + toString(shape()));
  }
  const core::NDArray from = readable(source.array(), impl_->array);
  core::copyInto(writable(writer), from, nullptr);
}

void Tensor::fill_(double value) {
  checkFits("fill_", value, dtype());
  core::fill(writable("fill_"), value, nullptr);
}

void Tensor::add_(const Tensor& other) {
  if (other.isShapeOnly()) throw StateError("add_", "what is to be added has a shape but no storage");
  const core::NDArray source =
      readable(other.array(), array());  // array(): what is added to must be this handle's own value
  if (source.shape() != shape())
    throw ShapeError("add_", "cannot add " + toString(source.shape()) + " in place to " + toString(shape()));
  if (source.dtype() != dtype()) {
    throw DtypeError("add_",
                     "cannot add " + std::string(name(source.dtype())) + " in place to " + std::string(name(dtype())),
                     {}, "convert it with to()");
  }
  core::addInPlace(writable("add_"), source, nullptr);
}

void Tensor::mul_(double factor) {
  (void)array();  // as in add_
  checkFits("mul_", factor, dtype());
  core::scaleInPlace(writable("mul_"), factor, nullptr);
}

void Tensor::setArray(core::NDArray array) {
  autograd::TensorImpl& impl = checked(impl_, "setArray");
  impl.settle();
  if (impl.node) throw StateError("setArray", "the tensor is the result of an operation, not a leaf");
  impl.version = array.version();
  impl.array = std::move(array);
  impl.grad = {};
}

// ---- shorthands ----

Tensor Tensor::sum(const std::vector<int>& axes, bool keepDims) const { return ember::sum(*this, axes, keepDims); }
Tensor Tensor::mean(const std::vector<int>& axes, bool keepDims) const { return ember::mean(*this, axes, keepDims); }
Tensor Tensor::reshape(const Shape& shape) const { return ember::reshape(*this, shape); }
Tensor Tensor::permute(const std::vector<int>& axes) const { return ember::permute(*this, axes); }
Tensor Tensor::transpose(int a, int b) const { return ember::transpose(*this, a, b); }
Tensor Tensor::slice(int axis, i64 start, i64 stop, i64 step) const {
  return ember::slice(*this, axis, start, stop, step);
}
Tensor Tensor::select(int axis, i64 index) const { return ember::select(*this, axis, index); }
const Tensor Tensor::operator[](i64 position) const { return ember::select(*this, 0, position); }
const Tensor Tensor::operator[](const Tensor& chosen) const { return ember::index(*this, {chosen}); }
Tensor Tensor::to(DType dtype) const { return ember::cast(*this, dtype); }

}  // namespace ember
