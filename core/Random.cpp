#include <ember/core/Random.h>

#include <atomic>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include <ember/core/Replay.h>
#include <ember/core/Scope.h>

namespace ember {
namespace {

std::atomic<u64> seedNow{0};
std::atomic<u64> constructions{0};
std::atomic<i64> callsOfProgram{0};

}  // namespace

void seed(u64 value) {
  seedNow = value;
  constructions = 0;
  callsOfProgram = 0;
}

u64 currentSeed() { return seedNow; }

}  // namespace ember

namespace ember::random {

u64 streamOf(std::string_view name) {
  u64 hash = 0xcbf29ce484222325u;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccdu;
  return hash ^ (hash >> 33);
}

Key nextInitKey() {
  static const u64 stream = streamOf("init");
  if (core::Unwatched* scope = core::Unwatched::current()) return {scope->seed(), stream, scope->nextDraw()};
  return {seedNow, stream, constructions.fetch_add(1)};
}

namespace {

Key drawnKey() {
  if (const core::ModuleScope* scope = core::ModuleScope::current(); scope && scope->calls()) {
    return {seedNow, streamOf(scope->path()), static_cast<u64>(scope->nextCall())};
  }
  static const u64 stream = streamOf("program");
  return {seedNow, stream, static_cast<u64>(callsOfProgram.fetch_add(1))};
}

}  // namespace

Key nextCallKey() {
  static const u64 stream = streamOf("unwatched");
  if (core::Unwatched* scope = core::Unwatched::current()) return {scope->seed(), stream, scope->nextDraw()};
  return core::nextKey(drawnKey);
}

i64 programCalls() { return callsOfProgram; }
void setProgramCalls(i64 calls) { callsOfProgram = calls; }

SeedScope::SeedScope(u64 value) noexcept : before_(seedNow.exchange(value)) {}
SeedScope::~SeedScope() { seedNow = before_; }

// Philox4x32-10. The 64-bit seed is its key; stream and call are folded with the index into its 128-bit counter.
std::array<u32, 4> words(const Key& key, u64 index) {
  const u64 lane = key.stream ^ (key.call * 0x9e3779b97f4a7c15u);
  std::array<u32, 4> c{static_cast<u32>(index), static_cast<u32>(index >> 32), static_cast<u32>(lane),
                       static_cast<u32>(lane >> 32)};
  u32 k0 = static_cast<u32>(key.seed), k1 = static_cast<u32>(key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const u64 p0 = u64{0xD2511F53u} * c[0];
    const u64 p1 = u64{0xCD9E8D57u} * c[2];
    c = {static_cast<u32>(p1 >> 32) ^ c[1] ^ k0, static_cast<u32>(p1), static_cast<u32>(p0 >> 32) ^ c[3] ^ k1,
         static_cast<u32>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

double uniform(const Key& key, u64 index) {
  const auto w = words(key, index);
  return static_cast<double>((u64{w[0]} << 32 | w[1]) >> 11) * 0x1p-53;
}

u64 below(const Key& key, u64 index, u64 bound) {
  const auto w = words(key, index);
  const u64 draw = u64{w[0]} << 32 | w[1];
  // High half of the 128-bit product draw·bound.
  const u64 dl = draw & 0xffffffffu, dh = draw >> 32, bl = bound & 0xffffffffu, bh = bound >> 32;
  const u64 middle = dh * bl + ((dl * bl) >> 32);
  return dh * bh + (middle >> 32) + ((dl * bh + (middle & 0xffffffffu)) >> 32);
}

double normal(const Key& key, u64 index) {
  const auto w = words(key, index);
  // (0, 1] for the logarithm, [0, 1) for the angle.
  const double u = (static_cast<double>((u64{w[0]} << 32 | w[1]) >> 11) + 1.0) * 0x1p-53;
  const double v = static_cast<double>((u64{w[2]} << 32 | w[3]) >> 11) * 0x1p-53;
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

std::vector<i64> permutation(const Key& key, i64 count) {
  std::vector<i64> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), i64{0});
  for (i64 i = count - 1; i > 0; --i) {
    std::swap(order[static_cast<std::size_t>(i)], order[below(key, static_cast<u64>(i), static_cast<u64>(i) + 1)]);
  }
  return order;
}

}  // namespace ember::random
