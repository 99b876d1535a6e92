#include "Loops.h"

#include <algorithm>
#include <cmath>

// libgomp by its own entry points: the pool of threads that oneDNN uses, under g++ and clang++ alike.
extern "C" {
void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
}

#if defined(__clang__)
#define FLOOR_SIMD __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define FLOOR_SIMD __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#endif

namespace bench::raw {
namespace {

/// body(begin, end) on each thread, at multiples of 16 floats.
template <class F>
void parallel(std::size_t count, F&& body) {
  struct Call {
    std::size_t count;
    F* body;
  } call{count, &body};
  GOMP_parallel(
      [](void* data) {
        const auto& c = *static_cast<Call*>(data);
        const auto me = static_cast<std::size_t>(omp_get_thread_num());
        const auto all = static_cast<std::size_t>(omp_get_num_threads());
        const std::size_t part = ((c.count + all - 1) / all + 15) / 16 * 16;
        const std::size_t begin = std::min(c.count, me * part), end = std::min(c.count, begin + part);
        if (begin < end) (*c.body)(begin, end);
      },
      &call, 0, 0);
}

FLOOR_SIMD void addReluPart(float* __restrict y, const float* __restrict addend, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const float sum = y[i] + addend[i];
    y[i] = sum > 0 ? sum : 0;
  }
}

FLOOR_SIMD void maskPart(const float* __restrict y, float* __restrict a, float* __restrict b, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const float kept = y[i] > 0 ? a[i] : 0;
    a[i] = kept;
    b[i] = kept;
  }
}

FLOOR_SIMD void sumMaskPart(const float* __restrict y, float* __restrict a, float* __restrict b, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const float sum = a[i] + b[i], kept = y[i] > 0 ? sum : 0;
    a[i] = kept;
    b[i] = kept;
  }
}

FLOOR_SIMD void addPart(float* __restrict a, const float* __restrict b, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) a[i] += b[i];
}

FLOOR_SIMD void sgdPart(float* __restrict w, float* __restrict v, const float* __restrict g, float lr,
                        std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const float velocity = 0.9F * v[i] + g[i];
    v[i] = velocity;
    w[i] -= lr * velocity;
  }
}

}  // namespace

void addRelu(float* y, const float* addend, std::size_t count) {
  parallel(count, [&](std::size_t begin, std::size_t end) { addReluPart(y + begin, addend + begin, end - begin); });
}

void addReluBackward(const float* y, float* a, float* b, bool sum, std::size_t count) {
  parallel(count, [&](std::size_t begin, std::size_t end) {
    (sum ? sumMaskPart : maskPart)(y + begin, a + begin, b + begin, end - begin);
  });
}

void addTo(float* a, const float* b, std::size_t count) {
  parallel(count, [&](std::size_t begin, std::size_t end) { addPart(a + begin, b + begin, end - begin); });
}

void sgd(float* w, float* v, const float* g, float lr, std::size_t count) {
  parallel(count,
           [&](std::size_t begin, std::size_t end) { sgdPart(w + begin, v + begin, g + begin, lr, end - begin); });
}

double crossEntropy(const float* logits, const std::int64_t* labels, float* gradient, long n, long classes) {
  double loss = 0;
  const float share = 1 / static_cast<float>(n);
  for (long i = 0; i < n; ++i) {
    const float* x = logits + i * classes;
    float* d = gradient + i * classes;
    const float top = *std::max_element(x, x + classes);
    float sum = 0;
    for (long c = 0; c < classes; ++c) sum += d[c] = std::exp(x[c] - top);
    for (long c = 0; c < classes; ++c) d[c] *= share / sum;
    d[labels[i]] -= share;
    loss += std::log(static_cast<double>(sum)) + static_cast<double>(top - x[labels[i]]);
  }
  return loss / static_cast<double>(n);
}

void moveRunning(float* running, const float* batch, float factor, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) running[i] = 0.9F * running[i] + 0.1F * factor * batch[i];
}

}  // namespace bench::raw
