#pragma once
#include <doctest/doctest.h>

#include <ember/core/Memory.h>

namespace ember::test {

/// Checks that `step`, once it has run, takes no memory that it does not give back, and none from the system.
template <class Step>
void checkSteadyMemory(Step&& step) {
  step();
  const memory::Stats before = memory::stats();
  for (int i = 0; i < 5; ++i) step();
  CHECK(memory::stats().nowBytes == before.nowBytes);
  CHECK(memory::stats().systemCalls == before.systemCalls);
}

}  // namespace ember::test
