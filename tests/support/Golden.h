#pragma once
#include <string>

#include <ember/autograd/Tensor.h>
#include <nlohmann/json.hpp>

/// Reading tests/golden/*.json, which PyTorch's numbers are in (see golden_file.py there), and comparing with them.
namespace ember::test {

using Json = nlohmann::ordered_json;  // inputs are positional: their order counts

/// The cases of tests/golden/<family>.json.
const Json& golden(const std::string& family);

/// {"shape", "data", "dtype"?} as a tensor; f64 data becomes `floating`.
Tensor tensorOf(const Json& json, DType floating = DType::F64);
Shape shapeOf(const Json& json);
std::vector<int> intsOf(const Json& json);
std::vector<i64> sizesOf(const Json& json);

/// What may differ: |actual - expected| <= absolute + relative·|expected|. NaN equals NaN, infinity itself.
struct Tolerance {
  double relative, absolute;
};
/// Sums in another order than PyTorch's: some hundred roundings of 1.1e-16.
inline constexpr Tolerance toleranceF64{1e-11, 1e-12};
/// Inputs rounded to f32 and some hundred roundings of 6e-8, on values of size 1 to 30.
inline constexpr Tolerance toleranceF32{2e-5, 1e-5};
inline Tolerance toleranceOf(DType dtype) { return dtype == DType::F32 ? toleranceF32 : toleranceF64; }

/// Empty if equal within the tolerance, else what differs most: "shape [2] instead of [3]", "element 4: 1 instead of
/// 2".
std::string difference(const Tensor& actual, const Tensor& expected, const Tolerance& tolerance);

}  // namespace ember::test

/// CHECK that two tensors are close; `what` names the tensor in the failure.
#define CHECK_CLOSE(actual, expected, tolerance, what)                                          \
  do {                                                                                          \
    const std::string difference_ = ember::test::difference((actual), (expected), (tolerance)); \
    CHECK_MESSAGE(difference_.empty(), what << ": " << difference_);                            \
  } while (false)
