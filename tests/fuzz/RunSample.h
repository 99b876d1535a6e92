#pragma once
#include "train/SmallRun.h"

namespace ember::fuzz {

/// The run whose files the target Run takes: small, with all that a run can carry.
inline test::SmallOptions fuzzedRun() {
  return {.dropout = true,
          .optimizer = "Adam",
          .width = 1,
          .trainer = {.epochs = 2,
                      .batchSize = 8,
                      .seed = 11,
                      .prefetch = false,
                      .schedule = optim::schedule::oneCycle({.steps = 6}),
                      .emaDecay = 0.9,
                      .plateau = optim::PlateauOptions{}}};
}

}  // namespace ember::fuzz
