#pragma once
#include <string_view>

#include <ember/autograd/Tensor.h>

/// Operands for tests, f64: the same numbers in every run, away from the places where derivatives jump.
namespace ember::test {

/// Uniform in [low, high); `name` chooses the numbers.
Tensor draw(std::string_view name, const Shape& shape, double low = -2, double high = 2);
/// A shuffled sequence of numbers `gap` apart about 0, none of them 0: no two are equal or close (maxima, kinks at 0).
Tensor distinct(std::string_view name, const Shape& shape, double gap = 0.1);
/// Integers in [0, bound), i64.
Tensor integers(std::string_view name, const Shape& shape, i64 bound);

/// The same values behind other strides: every second element of a larger array, its axes reversed in memory.
Tensor strided(const Tensor& x);
/// Whether shape, dtype and every bit are equal.
bool sameBits(const Tensor& a, const Tensor& b);

}  // namespace ember::test
