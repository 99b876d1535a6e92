#pragma once
#include <cstddef>
#include <cstdint>

/// What oneDNN has no primitive for, as plain loops over the process's OpenMP threads.
namespace bench::raw {

/// y = max(y + addend, 0)
void addRelu(float* y, const float* addend, std::size_t count);
/// a = b = y > 0 ? a + b : 0 if `sum`, else a = b = y > 0 ? a : 0
void addReluBackward(const float* y, float* a, float* b, bool sum, std::size_t count);
/// a += b
void addTo(float* a, const float* b, std::size_t count);
/// v = 0.9·v + g, w -= lr·v
void sgd(float* w, float* v, const float* g, float lr, std::size_t count);
/// Mean cross-entropy of logits [n, classes] and its gradient.
double crossEntropy(const float* logits, const std::int64_t* labels, float* gradient, long n, long classes);
/// running = 0.9·running + 0.1·factor·batch
void moveRunning(float* running, const float* batch, float factor, std::size_t count);

}  // namespace bench::raw
