#pragma once
#include <array>
#include <string_view>
#include <vector>

#include <ember/core/DType.h>

namespace ember {

/// Sets the process-wide seed and starts construction and call counters anew. Not thread-safe against running draws.
void seed(u64 value);
u64 currentSeed();

}  // namespace ember

/// Random numbers as pure functions of a key (Philox4x32-10, Salmon et al. 2011): same key, same index, same number,
/// whatever the thread count. No state but the counters named in the keys.
namespace ember::random {

/// What a draw depends on: the seed, a stream and a call counter. Element i of a draw is a function of (key, i).
struct Key {
  u64 seed = 0;
  u64 stream = 0;
  u64 call = 0;
};

/// 64-bit hash of a stream name (FNV-1a with a final mix); stable for ever, it is part of resume.
u64 streamOf(std::string_view name);
/// Key of the next initialiser: (seed, "init", construction index).
Key nextInitKey();
/// Key of the next draw of the running module: (seed, its path, its call counter), or of the program outside a module.
/// Advances the program's counter, and a module's in training forwards only: in eval mode and in summaries every
/// forward starts from the same number, so it draws the same, leaves training as it was, and may run on many threads.
Key nextCallKey();
/// Call counter of draws outside any module (state of a run).
i64 programCalls();
void setProgramCalls(i64);

/// While it lives, draws are those of another seed; counters go on. For runs of several seeds in one process, one at a
/// time.
class SeedScope {
 public:
  explicit SeedScope(u64 seed) noexcept;
  ~SeedScope();
  SeedScope(const SeedScope&) = delete;
  SeedScope& operator=(const SeedScope&) = delete;

 private:
  u64 before_;
};

/// Four random words for index i of a key.
std::array<u32, 4> words(const Key&, u64 index);
/// Uniform in [0, 1), 53 bits / 24 bits.
double uniform(const Key&, u64 index);
/// Uniform integer in [0, bound), bound >= 1, without modulo bias worth mentioning (64-bit multiply-shift).
u64 below(const Key&, u64 index, u64 bound);
/// Standard normal by Box-Muller on the words of `index` alone.
double normal(const Key&, u64 index);
/// Fisher-Yates permutation of 0..count-1 as a function of the key alone.
std::vector<i64> permutation(const Key&, i64 count);

}  // namespace ember::random
