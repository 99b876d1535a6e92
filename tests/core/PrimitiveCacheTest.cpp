#include <ember/core/kernels/onednn/PrimitiveCache.h>

#include <atomic>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Threads.h>
#include <ember/core/kernels/MatMul.h>
#include <ember/core/kernels/onednn/ImplNames.h>

using namespace ember;
using namespace ember::core;
using namespace ember::core::onednn;

namespace {

struct Numbered : Plan {
  i64 number;
  explicit Numbered(i64 n) : number(n) {}
  void describe(std::vector<std::string>& names) const override { names.push_back("number " + std::to_string(number)); }
};

Key keyOf(i64 number) {
  Key key("test");
  key.add(number);
  return key;
}

/// The plan of `number`, and whether it had to be made.
std::pair<std::shared_ptr<const Numbered>, bool> planOf(i64 number) {
  bool made = false;
  auto plan = cached<Numbered>(keyOf(number), [&] {
    made = true;
    return std::make_shared<Numbered>(number);
  });
  return {plan, made};
}

/// An empty cache of the given capacity; the normal one afterwards.
struct CacheOf {
  explicit CacheOf(std::size_t capacity) {
    clearCache();
    setCacheCapacity(capacity);
  }
  ~CacheOf() {
    clearCache();
    setCacheCapacity(1024);
  }
};

}  // namespace

TEST_CASE("keys differ in kind, in every number, in length and in the split between lists") {
  const auto key = [](const char* kind, const std::vector<i64>& words) {
    Key k(kind);
    for (const i64 word : words) k.add(word);
    return k;
  };
  CHECK(key("conv", {1, 2}) == key("conv", {1, 2}));
  CHECK_FALSE(key("conv", {1, 2}) == key("pool", {1, 2}));
  CHECK_FALSE(key("conv", {1, 2}) == key("conv", {1, 3}));
  CHECK_FALSE(key("conv", {1, 2}) == key("conv", {2, 1}));
  CHECK_FALSE(key("conv", {1, 2}) == key("conv", {1, 2, 0}));
  CHECK_FALSE(Key("conv").add(Shape{1, 2}).add(Shape{3}) == Key("conv").add(Shape{1}).add(Shape{2, 3}));
  CHECK_THROWS(key("conv", std::vector<i64>(100, 1)));
}

TEST_CASE("the thread count is part of every key") {
  const int before = threads();
  const Key one = [] {
    setThreads(1);
    return keyOf(1);
  }();
  const Key two = [] {
    setThreads(2);
    return keyOf(1);
  }();
  setThreads(before);
  CHECK_FALSE(one == two);
}

TEST_CASE("a plan is made once and found again") {
  const CacheOf cache(8);
  const CacheStats before = cacheStats();
  const auto [first, madeFirst] = planOf(7);
  const auto [again, madeAgain] = planOf(7);
  CHECK(madeFirst);
  CHECK_FALSE(madeAgain);
  CHECK(first == again);
  CHECK(again->number == 7);
  CHECK(cacheStats().hits == before.hits + 1);
  CHECK(cacheStats().misses == before.misses + 1);
  CHECK(usedImplementations() == std::vector<std::string>{"number 7"});
}

TEST_CASE("a full cache drops the plan unused longest, and a plan in use outlives it") {
  const CacheOf cache(3);
  for (i64 i = 0; i < 3; ++i) planOf(i);
  const auto held = planOf(1).first;
  CHECK_FALSE(planOf(0).second);  // used: now 2 is the oldest
  planOf(3);
  CHECK(cacheStats().size == 3);
  CHECK_FALSE(planOf(0).second);
  CHECK_FALSE(planOf(1).second);
  CHECK(planOf(2).second);
  setCacheCapacity(1);
  CHECK(cacheStats().size == 1);
  CHECK(held->number == 1);
}

TEST_CASE("many threads that want the same plans all get the right ones") {
  const CacheOf cache(16);  // fewer than the plans wanted: some are dropped meanwhile
  std::atomic<int> wrong{0};
  std::vector<std::thread> workers;
  for (int t = 0; t < 4; ++t) {
    workers.emplace_back([&, t] {
      for (i64 i = 0; i < 2000; ++i) {
        const i64 number = (i * 7 + t) % 40;
        if (planOf(number).first->number != number) ++wrong;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(wrong == 0);
  CHECK(cacheStats().size == 16);
}

TEST_CASE("a kernel whose plan was dropped makes it again") {
  const CacheOf cache(1);
  const NDArray a = NDArray::full({4, 4}, 1), b = NDArray::full({4, 6}, 1);
  for (int i = 0; i < 3; ++i) {
    CHECK(matmul(a, a).toVector<float>() == std::vector<float>(16, 4.0F));
    CHECK(matmul(a, b).toVector<float>() == std::vector<float>(24, 4.0F));
  }
  CHECK(cacheStats().size == 1);
}
