#include <ember/core/kernels/onednn/Packing.h>

#include <atomic>

#include <ember/core/Scope.h>
#include <ember/core/kernels/onednn/PrimitiveCache.h>

namespace ember::core::onednn {
namespace {

// Only what tells two layouts of the same sizes apart; the fields beyond ndims are not initialised.
u64 formOf(const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted) {
  static std::atomic<i64> opaque{0};
  Key form("form");
  for (const dnnl_memory_desc_t* d : {&plain.data, &wanted.data}) {
    form.add(d->ndims).add(d->data_type).add(d->format_kind).add(static_cast<i64>(d->extra.flags));
    if (d->format_kind != dnnl_blocked) {
      form.add(++opaque);  // oneDNN does not say what it looks like: shared with no one
      continue;
    }
    const auto& blocking = d->format_desc.blocking;
    for (int i = 0; i < d->ndims; ++i) form.add(d->dims[i]).add(d->padded_dims[i]).add(blocking.strides[i]);
    for (int i = 0; i < blocking.inner_nblks; ++i) form.add(blocking.inner_blks[i]).add(blocking.inner_idxs[i]);
  }
  return form.hash();
}

}  // namespace

Packing::Packing(const dnnl::memory::desc& plain, const dnnl::memory::desc& wanted) {
  if (plain == wanted) return;
  pack = Primitive::reorder(plain, wanted);
  bytes = wanted.get_size();
  form = formOf(plain, wanted);
}

std::shared_ptr<Storage> Packing::of(const NDArray& weights) const {
  if (!pack) return nullptr;
  const u64 key = (form ^ static_cast<u64>(weights.offset())) * 0x9e3779b97f4a7c15;
  if (auto kept = weights.storage()->derived(key)) return kept;
  auto made = std::make_shared<Storage>(bytes);
  pack.run({weights.raw(), made->data()});
  if (!Unwatched::current()) weights.storage()->setDerived(key, made);  // one forward alone: packed weights go with it
  return made;
}

}  // namespace ember::core::onednn
