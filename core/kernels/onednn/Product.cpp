#include <ember/core/kernels/onednn/Product.h>

#include <utility>

#include <ember/core/Error.h>
#include <ember/core/kernels/onednn/Packing.h>
#include <ember/core/kernels/onednn/PrimitiveCache.h>

namespace ember::core::onednn {
namespace {

struct ProductPlan : Plan {
  Primitive kernel;
  Packing b;
  void describe(std::vector<std::string>& names) const override {
    if (kernel && !kernel.isReference()) names.push_back(kernel.name());
  }
};

// oneDNN asks for a positive stride on every axis, also where it never steps.
Strides positive(Strides strides, const Shape& shape) {
  const i64 matrix =
      strides.back() * (shape.back() - 1) + strides[strides.rank() - 2] * (shape[shape.rank() - 2] - 1) + 1;
  for (int i = 0; i < strides.rank() - 2; ++i) {
    if (strides[i] == 0) strides[i] = matrix;
  }
  return strides;
}

std::shared_ptr<ProductPlan> makePlan(const MatrixView& a, const MatrixView& b, bool hasBias, const NDArray& y,
                                      bool keepsB) {
  const auto descA = stridedDesc(a.shape, positive(a.strides, a.shape), DType::F32);
  const auto descB = stridedDesc(b.shape, positive(b.strides, b.shape), DType::F32);
  const auto descY = stridedDesc(y.shape(), denseStrides(y.shape(), MemoryOrder::RowMajor), DType::F32);
  Shape biasShape = Shape::filled(y.rank(), 1);
  biasShape[y.rank() - 1] = y.shape().back();
  const auto descBias = stridedDesc(biasShape, denseStrides(biasShape, MemoryOrder::RowMajor), DType::F32);

  auto plan = std::make_shared<ProductPlan>();
  try {
    using Product = dnnl::matmul;
    const auto wantB =
        keepsB ? dnnl::memory::desc(dims(b.shape), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any) : descB;
    const Product::primitive_desc made(
        hasBias ? Product::desc(descA, wantB, descBias, descY) : Product::desc(descA, wantB, descY), userScratchpad(),
        engine());
    const auto kernelB = made.weights_desc();
    plan->b = Packing(descB, kernelB);
    std::vector<Primitive::Argument> arguments{
        {DNNL_ARG_SRC, descA}, {DNNL_ARG_WEIGHTS, kernelB}, {DNNL_ARG_DST, descY}};
    if (hasBias) arguments.push_back({DNNL_ARG_BIAS, descBias});
    plan->kernel = Primitive("matmul", Product(made), made, std::move(arguments));
  } catch (const dnnl::error& error) {
    if (error.status == dnnl_out_of_memory) throw OutOfMemory("matmul", "oneDNN could not get memory for its kernel");
  }
  return plan;
}

}  // namespace

bool product(const MatrixView& a, const MatrixView& b, const NDArray& bias, const NDArray& y, bool keepsB) {
  Key key("matmul");
  key.add(bias.defined()).add(keepsB).add(a.shape).add(a.strides).add(b.shape).add(b.strides).add(y.shape());
  const auto plan = cached<ProductPlan>(key, [&] { return makePlan(a, b, bias.defined(), y, keepsB); });
  if (!plan->kernel || plan->kernel.isReference()) return false;
  const auto packed = plan->b.of(b.array);
  const void* right = packed ? packed->data() : b.array.raw();
  if (bias.defined()) {
    plan->kernel.run({a.array.raw(), right, y.raw(), bias.raw()});
  } else {
    plan->kernel.run({a.array.raw(), right, y.raw()});
  }
  return true;
}

}  // namespace ember::core::onednn
