#pragma once
#include <dnnl.hpp>

#include <ember/core/NDArray.h>
#include <ember/core/Scratch.h>
#include <ember/core/kernels/FusedAct.h>

/// What every oneDNN kernel shares. This header and its neighbours are included by .cpp files of core/kernels only: no
/// oneDNN type reaches a user.
namespace ember::core::onednn {

/// The process's CPU engine.
const dnnl::engine& engine();
/// The calling thread's stream.
dnnl::stream& stream();

/// oneDNN's name for a dtype. Throws DtypeError for one that it has not (f64, i64).
dnnl::memory::data_type dataType(DType);
dnnl::memory::dims dims(const Dims&);
/// Description of a plain strided array; strides in elements.
dnnl::memory::desc stridedDesc(const Dims& shape, const Strides&, DType);

/// Primitives take their scratchpad from the caller: oneDNN's own belongs to the thread that made the primitive, and a
/// Winograd primitive run by another thread then crashes.
dnnl::primitive_attr userScratchpad();
/// The same for y = act(result), or act(result + y) with `sum`.
dnnl::primitive_attr withEpilogue(const FusedAct& act, bool sum = false);

}  // namespace ember::core::onednn
