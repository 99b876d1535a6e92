#include <ember/core/kernels/onednn/Engine.h>

#include <string>

#include <ember/core/Error.h>

namespace ember::core::onednn {

const dnnl::engine& engine() {
  // Never destroyed: cached primitives and streams of late threads may outlive any static object.
  static const auto* instance = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *instance;
}

dnnl::stream& stream() {
  thread_local dnnl::stream instance(engine());
  return instance;
}

dnnl::memory::data_type dataType(DType dtype) {
  using Type = dnnl::memory::data_type;
  switch (dtype) {
    case DType::F32:
      return Type::f32;
    case DType::BF16:
      return Type::bf16;
    case DType::I32:
      return Type::s32;
    case DType::I8:
      return Type::s8;
    case DType::U8:
      return Type::u8;
    default:
      break;
  }
  throw DtypeError("oneDNN", "no kernel computes in " + std::string(name(dtype)), {}, "convert with to(DType::F32)");
}

dnnl::memory::dims dims(const Dims& sizes) { return {sizes.begin(), sizes.end()}; }

dnnl::memory::desc stridedDesc(const Dims& shape, const Strides& strides, DType dtype) {
  return {dims(shape), dataType(dtype), dims(strides)};
}

dnnl::primitive_attr userScratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::primitive_attr withEpilogue(const FusedAct& act, bool sum) {
  dnnl::primitive_attr attributes = userScratchpad();
  dnnl::post_ops steps;
  if (sum) steps.append_sum(1.0f);
  if (!act.none()) steps.append_eltwise(1.0f, dnnl::algorithm::eltwise_relu, static_cast<float>(act.slope), 0.0f);
  attributes.set_post_ops(steps);
  return attributes;
}

}  // namespace ember::core::onednn
