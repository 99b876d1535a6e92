#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <ember/core/Error.h>
#include <ember/core/Threads.h>
#include <ember/core/comm/InProcess.h>

#include "support/Headline.h"

using namespace ember;
using Comm = std::shared_ptr<Communicator>;

namespace {

/// What f(communicator) gave on each rank.
template <class R, class F>
std::vector<R> onRanks(int size, F&& f) {
  std::vector<R> results(static_cast<std::size_t>(size));
  runRanks(size, [&](Comm c) { results[static_cast<std::size_t>(c->rank())] = f(*c); });
  return results;
}

/// The headline of what each rank's call threw. Ranks catch their own, so runRanks has nothing to report.
template <class F>
std::vector<std::string> headlines(int size, F&& f) {
  return onRanks<std::string>(size, [&](Communicator& c) { return test::headlineOf([&] { f(c); }); });
}

}  // namespace

TEST_CASE("allReduce adds in rank order: every rank has the bits of the serial sum") {
  for (const int size : {1, 2, 3, 5}) {
    CAPTURE(size);
    // 1/3 + 1e8 · rank rounds at each addition, so another order would show.
    const auto value = [](int rank, std::size_t i) {
      return 1.0f / static_cast<float>(3 + i) + 1e8f * static_cast<float>(rank % 3) - 0.7f * static_cast<float>(rank);
    };
    std::vector<float> expected(7);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = value(0, i);
      for (int rank = 1; rank < size; ++rank) expected[i] += value(rank, i);
    }
    const auto sums = onRanks<std::vector<float>>(size, [&](Communicator& c) {
      std::vector<float> mine(7);
      for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = value(c.rank(), i);
      c.allReduce(mine);
      return mine;
    });
    for (const auto& sum : sums) CHECK(sum == expected);
  }
}

TEST_CASE("allReduce sums f64 in f64, and integers exactly, around the ends of i64") {
  const auto sums = onRanks<double>(3, [](Communicator& c) {
    std::array<double, 1> x{1 + 1e-12 * c.rank()};
    c.allReduce(x);
    return x[0];
  });
  for (const double sum : sums) CHECK(sum == 1.0 + (1 + 1e-12) + (1 + 2e-12));

  const auto whole = onRanks<std::vector<i64>>(2, [](Communicator& c) {
    std::vector<i64> x{(i64{1} << 60) + c.rank(), std::numeric_limits<i64>::max()};
    c.allReduce(x);
    return x;
  });
  for (const auto& sum : whole) CHECK(sum == std::vector<i64>{(i64{1} << 61) + 1, -2});
}

TEST_CASE("allGather lays the ranks' bytes side by side") {
  struct Statistics {
    i64 count;
    double mean;
  };
  runRanks(3, [](Comm c) {
    const std::vector<Statistics> mine{{c->rank(), 0.5 * c->rank()}, {-c->rank(), 7}};
    std::vector<Statistics> all(6);
    c->allGather(std::span<const Statistics>(mine), std::span<Statistics>(all));
    for (int rank = 0; rank < 3; ++rank) {
      const auto first = static_cast<std::size_t>(2 * rank);
      if (all[first].count != rank || all[first].mean != 0.5 * rank || all[first + 1].count != -rank) {
        throw std::runtime_error("rank " + std::to_string(rank) + " gave something else");
      }
    }
  });
  const auto ranks = onRanks<std::vector<int>>(4, [](Communicator& c) { return c.allGatherValue(10 * c.rank()); });
  for (const auto& all : ranks) CHECK(all == std::vector<int>{0, 10, 20, 30});
}

TEST_CASE("allGather takes a part of its own result as input") {
  const auto gathered = onRanks<std::vector<i64>>(3, [](Communicator& c) {
    std::vector<i64> all(3, -1);
    const auto mine = static_cast<std::size_t>(c.rank());
    all[mine] = 5 + c.rank();
    c.allGather(std::span<const i64>(&all[mine], 1), std::span<i64>(all));
    return all;
  });
  for (const auto& all : gathered) CHECK(all == std::vector<i64>{5, 6, 7});
}

TEST_CASE("broadcast gives everyone what the root has") {
  for (int root = 0; root < 3; ++root) {
    const auto got = onRanks<std::vector<float>>(3, [root](Communicator& c) {
      std::vector<float> values(5, static_cast<float>(c.rank()));
      c.broadcast(std::span<float>(values), root);
      return values;
    });
    for (const auto& values : got) CHECK(values == std::vector<float>(5, static_cast<float>(root)));
  }
}

TEST_CASE("barrier lets nobody pass before all have come") {
  std::atomic<int> come{0};
  std::atomic<bool> early{false};
  runRanks(4, [&](Comm c) {
    for (int round = 1; round <= 50; ++round) {
      ++come;
      c->barrier();
      if (come < 4 * round) early = true;
      c->barrier();
    }
  });
  CHECK_FALSE(early);
}

TEST_CASE("empty spans take part, and one rank is a group too") {
  runRanks(3, [](Comm c) {
    c->allReduce(std::span<float>());
    c->allGather(std::span<const std::byte>(), std::span<std::byte>());
    c->broadcast(std::span<std::byte>(), 2);
  });
  const Comm alone = inProcess(1).front();
  std::vector<double> x{3, 4};
  alone->allReduce(x);
  alone->broadcast(std::span<double>(x), 0);
  alone->barrier();
  CHECK(x == std::vector<double>{3, 4});
  CHECK(alone->allGatherValue(9) == std::vector<int>{9});
  const Comm part = alone->split(4, 2);
  CHECK(part->size() == 1);
  CHECK(part->rank() == 0);
}

TEST_CASE("split orders a group by key, then by rank, and groups work on their own") {
  runRanks(5, [](Comm c) {
    const bool odd = c->rank() % 2 == 1;
    const Comm group = c->split(odd ? 7 : 2, odd ? 0 : -c->rank());
    const std::vector<int> expected = odd ? std::vector<int>{1, 3} : std::vector<int>{4, 2, 0};
    // Unequal numbers of calls: the groups don't wait for each other.
    for (int round = 0; round < (odd ? 3 : 10); ++round) {
      if (group->allGatherValue(c->rank()) != expected) throw std::runtime_error("another group");
    }
    if (expected.at(static_cast<std::size_t>(group->rank())) != c->rank()) throw std::runtime_error("another rank");
    std::vector<i64> one{1};
    c->allReduce(one);
    if (one[0] != 5) throw std::runtime_error("the whole group is disturbed");
  });
}

TEST_CASE("split by lists numbers the ranks as they are listed, and groups split again") {
  runRanks(4, [](Comm c) {
    const Comm group = c->split({{3, 0}, {1}, {2}});
    const std::vector<std::vector<int>> expected{{3, 0}, {1}, {2}, {3, 0}};
    if (group->allGatherValue(c->rank()) != expected[static_cast<std::size_t>(c->rank())]) {
      throw std::runtime_error("another group");
    }
    const Comm single = group->split(group->rank(), 0);
    if (single->allGatherValue(c->rank()) != std::vector<int>{c->rank()}) throw std::runtime_error("not alone");
  });
}

TEST_CASE("split refuses lists that are no partition of the ranks, on every rank") {
  const auto split = [](std::vector<std::vector<int>> groups) {
    const auto all = headlines(3, [&](Communicator& c) { c.split(groups); });
    CHECK(all == std::vector<std::string>(3, all.front()));
    return all.front();
  };
  CHECK(split({{0, 1}, {1, 2}}) == "[split] ValueError: rank 1 is named twice");
  CHECK(split({{0}, {2}}) == "[split] ValueError: rank 1 is in no group");
  CHECK(split({{0, 1, 2, 3}}) == "[split] ValueError: group 0 names rank 3 of 3");
  CHECK(split({{0, 1}, {-1, 2}}) == "[split] ValueError: group 1 names rank -1 of 3");
  CHECK(split({{0, 1, 2}, {}}) == "[split] ValueError: group 1 is empty");
  CHECK(split({}) == "[split] ValueError: rank 0 is in no group");
}

TEST_CASE("split tells ranks that give different groups") {
  const auto all = headlines(3, [](Communicator& c) {
    c.split(c.rank() == 2 ? std::vector<std::vector<int>>{{0, 1, 2}} : std::vector<std::vector<int>>{{0}, {1, 2}});
  });
  for (const auto& text : all) CHECK(text == "[split] StateError: rank 0 and rank 2 give different groups");
}

TEST_CASE("ranks that call different operations are told both, on every rank") {
  const auto all = headlines(3, [](Communicator& c) {
    std::vector<float> x(3);
    c.rank() == 2 ? c.barrier() : c.allReduce(x);
  });
  const std::string what = "StateError: rank 0 calls allReduce of 3 f32, rank 2 calls barrier";
  CHECK(all == std::vector<std::string>{"[allReduce] " + what, "[allReduce] " + what, "[barrier] " + what});
}

TEST_CASE("sizes, types and roots that differ are told, on every rank") {
  const auto sizes = headlines(3, [](Communicator& c) {
    std::vector<float> x(c.rank() == 1 ? 2 : 3);
    c.allReduce(x);
  });
  for (const auto& text : sizes) {
    CHECK(text == "[allReduce] StateError: rank 0 calls allReduce of 3 f32, rank 1 calls allReduce of 2 f32");
  }
  const auto types = headlines(2, [](Communicator& c) {
    std::vector<float> x(3);
    std::vector<double> y(3);
    c.rank() == 1 ? c.allReduce(y) : c.allReduce(x);
  });
  for (const auto& text : types) {
    CHECK(text == "[allReduce] StateError: rank 0 calls allReduce of 3 f32, rank 1 calls allReduce of 3 f64");
  }
  const auto roots = headlines(2, [](Communicator& c) {
    std::vector<i64> x(2);
    c.broadcast(std::span<i64>(x), c.rank());
  });
  for (const auto& text : roots) {
    CHECK(text ==
          "[broadcast] StateError: rank 0 calls broadcast of 16 bytes from rank 0, rank 1 calls broadcast of 16 bytes "
          "from rank 1");
  }
}

TEST_CASE("after ranks disagreed their group stays unusable, with the same reason") {
  const auto all = headlines(2, [](Communicator& c) {
    std::vector<float> x(static_cast<std::size_t>(1 + c.rank()));
    const std::string first = test::headlineOf([&] { c.allReduce(x); });
    CHECK(first != "nothing was thrown");
    c.allReduce(x);
  });
  for (const auto& text : all) {
    CHECK(text == "[allReduce] StateError: rank 0 calls allReduce of 1 f32, rank 1 calls allReduce of 2 f32");
  }
}

TEST_CASE("wrong arguments are refused before the rank takes part") {
  const auto all = headlines(2, [](Communicator& c) {
    std::vector<float> mine(2), room(3);
    CHECK(test::headlineOf([&] { c.allGather(std::span<const float>(mine), std::span<float>(room)); }) ==
          "[allGather] ShapeError: the result has room for 12 bytes, 2 ranks give 8 each");
    CHECK(test::headlineOf([&] { c.broadcast(std::span<float>(mine), 2); }) ==
          "[broadcast] ValueError: there is no rank 2");
    CHECK(test::headlineOf([&] { c.broadcast(std::span<float>(mine), -1); }) ==
          "[broadcast] ValueError: there is no rank -1");
    CHECK(test::headlineOf([&] { c.split(-3, 0); }) == "[split] ValueError: the colour is -3");
    c.barrier();  // works: nobody is out of step
  });
  for (const auto& text : all) CHECK(text == "nothing was thrown");
  CHECK(test::headlineOf([] { inProcess(0); }) == "[inProcess] ValueError: the number of ranks is 0");
  CHECK(test::headlineOf([] { runRanks(-1, [](Comm) {}); }) == "[runRanks] ValueError: the number of ranks is -1");
}

TEST_CASE("a rank that throws wakes the others, and its exception comes out of runRanks") {
  std::array<std::string, 3> seen;
  const std::string message = test::messageOf<std::runtime_error>([&] {
    runRanks(3, [&](Comm c) {
      if (c->rank() == 1) throw std::runtime_error("sample 7 can't be read");
      seen[static_cast<std::size_t>(c->rank())] = test::headlineOf([&] { c->barrier(); });
    });
  });
  CHECK(message == "sample 7 can't be read");
  CHECK(seen[0] == "[barrier] StateError: rank 1 has failed: sample 7 can't be read");
  CHECK(seen[2] == seen[0]);
}

TEST_CASE("the exception of the rank that failed comes out, not those of the ranks it woke") {
  for (int round = 0; round < 50; ++round) {
    const std::string message = test::messageOf([] {
      runRanks(4, [](Comm c) {
        const Comm group = c->split({{0, 1}, {2, 3}});
        if (c->rank() == 2) throw ValueError("test", "the cause");
        group->barrier();
        c->barrier();
      });
    });
    REQUIRE(message.starts_with("[test] ValueError: the cause"));
  }
}

TEST_CASE("an exception that is no std::exception comes out as it is") {
  CHECK_THROWS_AS(runRanks(2,
                           [](Comm c) {
                             if (c->rank() == 0) throw 42;
                             c->barrier();
                           }),
                  int);
}

TEST_CASE("waiting for a rank that has ended is an error, in groups too and where its communicator lives on") {
  for (const bool inGroup : {false, true}) {
    std::array<Comm, 2> kept;
    std::string seen;
    runRanks(2, [&](Comm c) {
      Comm& mine = kept[static_cast<std::size_t>(c->rank())];
      mine = inGroup ? c->split(0, 0) : c;
      if (c->rank() == 0) seen = test::headlineOf([&] { mine->barrier(); });
    });
    CHECK(seen == "[barrier] StateError: rank 1 has left the group");
  }
}

TEST_CASE("waiting for a rank that destroyed its communicator is an error") {
  auto ranks = inProcess(2);
  std::string before;
  std::thread waiting([&, mine = ranks[0]] { before = test::headlineOf([&] { mine->barrier(); }); });
  ranks[1].reset();
  waiting.join();
  CHECK(before == "[barrier] StateError: rank 1 has left the group");
  CHECK(test::headlineOf([&] { ranks[0]->barrier(); }) == before);

  std::string group;
  runRanks(2, [&](Comm c) {
    Comm part = c->split(0, 0);
    if (c->rank() == 0) group = test::headlineOf([&] { part->barrier(); });
    part.reset();
    c->barrier();  // the whole is not disturbed
  });
  CHECK(group == "[barrier] StateError: rank 1 has left the group");
}

TEST_CASE("ranks that wait for each other in different groups are told where") {
  const auto all = headlines(3, [](Communicator& c) {
    const Comm left = c.split(c.rank() / 2, 0);         // [0, 1] [2]
    const Comm right = c.split((c.rank() + 1) / 2, 0);  // [0] [1, 2]
    const std::array<Communicator*, 3> where{left.get(), right.get(), &c};
    where[static_cast<std::size_t>(c.rank())]->barrier();
  });
  for (const auto& text : all) {
    CHECK(text ==
          "[barrier] StateError: the ranks wait for each other: rank 0 in barrier of [0, 1], rank 1 in barrier of [1, "
          "2], rank 2 in barrier of [0, 1, 2]");
  }
}

TEST_CASE("ranks share the compute pool: one has it, the others are alone, all get the same sums") {
  const std::vector<i64> expected(4, i64{1999999} * 1000000);
  std::atomic<int> widest{0};
  const auto sums = onRanks<i64>(4, [&](Communicator& c) {
    i64 total = 0;
    for (int round = 0; round < 20; ++round) {
      c.barrier();  // so that they all want it at once
      std::vector<i64> parts(static_cast<std::size_t>(std::max(2, threads())), 0);
      const core::ComputeScope scope;
      int before = widest;
      while (core::ComputeScope::threads() > before &&
             !widest.compare_exchange_weak(before, core::ComputeScope::threads())) {
      }
      core::parallelParts(2000000, 1000, [&](i64 begin, i64 end, int part) {
        for (i64 i = begin; i < end; ++i) parts[static_cast<std::size_t>(part)] += i;
      });
      total = std::accumulate(parts.begin(), parts.end(), i64{0});
    }
    return total;
  });
  CHECK(sums == expected);
  CHECK(widest == threads());
}

TEST_CASE("a rank that waits inside a compute scope does not stop the others from computing") {
  const auto sums = onRanks<i64>(3, [](Communicator& c) {
    const core::ComputeScope scope;
    std::vector<i64> total{0};
    core::parallelFor(1, 1, [&](i64, i64 end) { total[0] += end + c.rank(); });
    c.allReduce(total);
    return total[0];
  });
  CHECK(sums == std::vector<i64>(3, 6));
}

TEST_CASE("many meetings in a row, over several groups, keep their results apart") {
  const int rounds = 300;
  runRanks(4, [&](Comm c) {
    const Comm group = c->split(c->rank() % 2, -c->rank());
    for (i64 round = 0; round < rounds; ++round) {
      std::array<i64, 2> whole{round, c->rank()};
      c->allReduce(whole);
      std::array<i64, 1> half{c->rank() * round};
      group->allReduce(half);
      const i64 pair = c->rank() % 2 == 0 ? 0 + 2 : 1 + 3;
      if (whole[0] != 4 * round || whole[1] != 6 || half[0] != pair * round) throw std::runtime_error("mixed up");
    }
  });
}
