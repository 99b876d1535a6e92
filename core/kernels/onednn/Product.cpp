#include <ember/core/kernels/onednn/Product.h>

#include <bit>
#include <utility>

#include <ember/core/Error.h>
#include <ember/core/Scope.h>
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

/// Whether the fully connected layer is the faster form of a product: by 2 to 4 % with packed weights, from 16 rows on.
bool worthLayer(const MatrixView& a, bool keepsB) {
  return keepsB && a.shape.rank() == 2 && a.shape[0] >= 16 && !a.transposed();
}

/// y = act(a · b + bias) as a fully connected layer, with packed weights bᵀ. Throws dnnl::error if there is none.
void setUpLayer(ProductPlan& plan, const MatrixView& a, const MatrixView& b, bool hasBias, const NDArray& y,
                const FusedAct& act) {
  using Layer = dnnl::inner_product_forward;
  const Shape turned{b.shape[1], b.shape[0]};
  const auto descX = stridedDesc(a.shape, a.strides, DType::F32),
             descY = stridedDesc(y.shape(), y.strides(), DType::F32),
             descW = stridedDesc(turned, {b.strides[1], b.strides[0]}, DType::F32),
             descBias = stridedDesc({turned[0]}, {1}, DType::F32);
  const dnnl::memory::desc anyW(dims(turned), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
  const auto inference = dnnl::prop_kind::forward_inference;
  const Layer::primitive_desc made(hasBias ? Layer::desc(inference, descX, anyW, descBias, descY)
                                           : Layer::desc(inference, descX, anyW, descY),
                                   withEpilogue(act), engine());
  std::vector<Primitive::Argument> arguments{
      {DNNL_ARG_SRC, descX}, {DNNL_ARG_WEIGHTS, made.weights_desc()}, {DNNL_ARG_DST, descY}};
  if (hasBias) arguments.push_back({DNNL_ARG_BIAS, descBias});
  plan.b = Packing(descW, made.weights_desc());
  plan.kernel = Primitive("inner product", Layer(made), made, std::move(arguments));
}

void refuseOutOfMemory(const dnnl::error& error) {
  if (error.status == dnnl_out_of_memory) throw OutOfMemory("matmul", "oneDNN could not get memory for its kernel");
}

std::shared_ptr<ProductPlan> makePlan(const MatrixView& a, const MatrixView& b, bool hasBias, const NDArray& y,
                                      bool keepsB, const FusedAct& act) {
  const auto descA = stridedDesc(a.shape, positive(a.strides, a.shape), DType::F32);
  const auto descB = stridedDesc(b.shape, positive(b.strides, b.shape), DType::F32);
  const auto descY = stridedDesc(y.shape(), denseStrides(y.shape(), MemoryOrder::RowMajor), DType::F32);
  Shape biasShape = Shape::filled(y.rank(), 1);
  biasShape[y.rank() - 1] = y.shape().back();
  const auto descBias = stridedDesc(biasShape, denseStrides(biasShape, MemoryOrder::RowMajor), DType::F32);

  auto plan = std::make_shared<ProductPlan>();
  if (worthLayer(a, keepsB)) {
    try {
      setUpLayer(*plan, a, b, hasBias, y, act);
      if (plan->kernel.name().find("brgemm") != std::string::npos) return plan;
    } catch (const dnnl::error& error) {
      refuseOutOfMemory(error);
    }
    *plan = ProductPlan();
  }
  try {
    using Product = dnnl::matmul;
    const auto wantB =
        keepsB ? dnnl::memory::desc(dims(b.shape), dnnl::memory::data_type::f32, dnnl::memory::format_tag::any) : descB;
    const Product::primitive_desc made(
        hasBias ? Product::desc(descA, wantB, descBias, descY) : Product::desc(descA, wantB, descY), withEpilogue(act),
        engine());
    const auto kernelB = made.weights_desc();
    plan->b = Packing(descB, kernelB);
    std::vector<Primitive::Argument> arguments{
        {DNNL_ARG_SRC, descA}, {DNNL_ARG_WEIGHTS, kernelB}, {DNNL_ARG_DST, descY}};
    if (hasBias) arguments.push_back({DNNL_ARG_BIAS, descBias});
    plan->kernel = Primitive("matmul", Product(made), made, std::move(arguments));
  } catch (const dnnl::error& error) {
    refuseOutOfMemory(error);
  }
  return plan;
}

}  // namespace

bool product(const MatrixView& a, const MatrixView& b, const NDArray& bias, const NDArray& y, bool keepsB,
             const FusedAct& act) {
  // Packed weights are worth their memory where they are used again: not in the one forward of a self-test.
  if (Unwatched::current()) keepsB = false;
  Key key("matmul");
  key.add(bias.defined()).add(keepsB).add(static_cast<i64>(act.kind)).add(std::bit_cast<i64>(act.slope));
  key.add(a.shape).add(a.strides).add(b.shape).add(b.strides).add(y.shape());
  const auto plan = cached<ProductPlan>(key, [&] { return makePlan(a, b, bias.defined(), y, keepsB, act); });
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
