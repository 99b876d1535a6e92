#include <ember/core/Threads.h>

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include <ember/core/Error.h>
#include <ember/core/Warn.h>

// libgomp is called by its own entry points, so that g++ and clang++ builds share the one OpenMP runtime that oneDNN
// and OpenBLAS already use, and so that no other file needs OpenMP.
extern "C" {
void GOMP_parallel(void (*body)(void*), void* data, unsigned threads, unsigned flags);
int omp_get_thread_num(void);
int omp_get_num_threads(void);
int omp_get_max_threads(void);
void omp_set_num_threads(int);
}

// ThreadSanitizer does not see how libgomp, which is not built with it, makes a region's threads wait for each other;
// both ends of a region say it.
#ifdef __SANITIZE_THREAD__
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
#endif

namespace ember {
namespace {

int cpusOfCgroup() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");  // "quota period" in microseconds, or "max period"
  double quota = 0, period = 0;
  if (file >> quota >> period && quota > 0 && period > 0) return std::max(1, static_cast<int>(quota / period + 0.5));
  return 1 << 20;
}

int availableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int affinity = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  return std::max(1, std::min(affinity, cpusOfCgroup()));
}

int initialThreads() {
  const int available = availableCpus();
  const char* text = std::getenv("EMBER_THREADS");
  if (!text || !*text) return available;
  int count = 0;
  const std::string word(text);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), count);
  if (error != std::errc() || end != word.data() + word.size() || count < 1) {
    warnOnce("EMBER_THREADS=" + word + " is not a positive whole number; using " + std::to_string(available) +
             " threads");
    return available;
  }
  return count;
}

std::atomic<int>& configured() {
  static std::atomic<int> count{initialThreads()};
  return count;
}

std::atomic<bool> poolTaken{false};
thread_local int depth = 0;
thread_local int threadsHere = 1;  // valid while depth > 0
thread_local int userThreads = 0;  // what the program had set for this thread's own OpenMP regions
thread_local bool serialThread = false;

}  // namespace

void setThreads(int count) {
  if (count < 1)
    throw ValueError("setThreads", "the number of threads is " + std::to_string(count), {}, "use 1 or more");
  if (count > availableCpus()) {
    warnOnce("setThreads(" + std::to_string(count) + "): only " + std::to_string(availableCpus()) +
             " CPUs are available to this process; more threads than CPUs make training slower");
  }
  configured() = count;
}

int threads() { return configured(); }

}  // namespace ember

namespace ember::core {

ComputeScope::ComputeScope(double work) {
  if (depth++ > 0) return;
  owner_ = work >= worthThreads && !serialThread && !poolTaken.exchange(true, std::memory_order_acquire);
  threadsHere = owner_ ? ember::threads() : 1;
  userThreads = omp_get_max_threads();
  if (userThreads != threadsHere) omp_set_num_threads(threadsHere);
}

ComputeScope::~ComputeScope() {
  if (--depth > 0) return;
  if (userThreads != threadsHere) omp_set_num_threads(userThreads);
  if (owner_) poolTaken.store(false, std::memory_order_release);
}

int ComputeScope::threads() { return depth > 0 ? threadsHere : (serialThread ? 1 : ember::threads()); }

void makeThreadSerial() { serialThread = true; }

namespace detail {
namespace {

struct Region {
  RangeFn fn;
  void* context;
  i64 count;
  int parts;
  // Of the first part that threw.
  std::mutex mutex{};
  int failed = std::numeric_limits<int>::max();
  std::exception_ptr error{};
};

void comesBefore([[maybe_unused]] void* region) {
#ifdef __SANITIZE_THREAD__
  __tsan_release(region);
#endif
}
void comesBehind([[maybe_unused]] void* region) {
#ifdef __SANITIZE_THREAD__
  __tsan_acquire(region);
#endif
}

void runParts(void* data) {
  comesBehind(data);
  auto& region = *static_cast<Region*>(data);
  // The runtime may grant fewer threads than asked for; then each takes several parts.
  const int team = omp_get_num_threads();
  for (int part = omp_get_thread_num(); part < region.parts; part += team) {
    const i64 begin = region.count * part / region.parts;
    const i64 end = region.count * (part + 1) / region.parts;
    try {
      region.fn(region.context, begin, end, part);
    } catch (...) {
      const std::lock_guard lock(region.mutex);
      if (part < std::exchange(region.failed, std::min(part, region.failed))) region.error = std::current_exception();
    }
  }
  comesBefore(data);
}

}  // namespace

void parallelRanges(i64 count, i64 grain, RangeFn fn, void* context) {
  if (count <= 0) return;
  const i64 most = std::max<i64>(1, count / std::max<i64>(grain, 1));
  if (most == 1) return fn(context, 0, count, 0);
  const ComputeScope scope;
  const int parts = static_cast<int>(std::min<i64>(most, ComputeScope::threads()));
  if (parts == 1) return fn(context, 0, count, 0);
  Region region{fn, context, count, parts};
  comesBefore(&region);
  GOMP_parallel(runParts, &region, static_cast<unsigned>(parts), 0);
  comesBehind(&region);
  if (region.error) std::rethrow_exception(region.error);
}

}  // namespace detail
}  // namespace ember::core
