#pragma once
#include <string>

#include <ember/core/io/Value.h>
#include <ember/nn/Module.h>

/// The self-test of a checkpoint: a few outputs of the net for inputs drawn from a seed, which the net must give again
/// when it is loaded. It tells what no check sum can: layers that compute otherwise, values in other places.
///
///   {"input_seed": "7", "inputs": [{"dtype": "f32", "shape": [1, 1, 28, 28]}], "elements": 10, "scale": 2.1,
///    "outputs": [0.0123, -1.5, ...]}
///
/// Floating inputs are uniform in [0, 1), integers 0 or 1, input i from stream i. The outputs are those of a forward in
/// eval mode, all tensors one behind the other in row-major order: 16 of them at most, the k-th of n at floor(k ·
/// elements / n), with 7 digits; `scale` is the largest magnitude of all. They agree if none is further off than 1e-4 ·
/// scale, or 1e-6, and the largest no further than ten times that: kernels of another CPU round otherwise.
namespace ember::nn {

/// The self-test of a net as it is, on inputs of these shapes and types (those it has seen if there are none). Null if
/// there is nothing to go by: no inputs are known, the forward throws, results are not finite, differ between two
/// forwards or for inputs that differ in the sixth digit, or need more memory than 256 MB beside eight times the net's.
/// Leaves the net, counters, draws and traces as they are. Throws OutOfMemory or std::bad_alloc where the system has no
/// memory for the forward.
Value selfTestOf(const Module& net, const Tensors& inputs = {});

/// Throws IoError that names `file` unless the net computes what the self-test says. The net stays as it is.
void checkSelfTest(const Value& test, Module& net, const std::string& file);

/// The inputs of a self-test, as shapes. IoError that names `file` if they make no sense.
Tensors selfTestInputs(const Value& test, const std::string& file);

}  // namespace ember::nn
