// Runs that are killed by SIGKILL and resumed by a new process end as the run that was never stopped: the same bytes in
// the file, the same lines in the loss log.
//   ember_test_resume SGD | Adam     killed behind every step: {batch norm, dropout, both} x schedules x averages
//   ember_test_resume threads        half of both
//   ember_test_resume interval       saved every three steps only; several batches a step; augmentation
//   ember_test_resume anytime        killed from outside, whenever
//   ember_test_resume train FOLDER CASE KILL    the program that is killed
#include <cstdio>
#include <exception>
#include <string>

#include "resume/Matrix.h"
#include "resume/Train.h"

using namespace ember::test;

namespace {

int run(const std::string& mode) {
  if (mode == "SGD" || mode == "Adam") return killEverywhere(casesOf(mode));
  if (mode == "threads") {
    std::vector<Case> cases;
    for (const char* optimizer : {"SGD", "Adam"}) {
      for (const Case& kind : casesOf(optimizer)) {
        if (kind.augmented) cases.push_back(kind);
      }
    }
    return killEverywhere(cases);
  }
  if (mode == "interval") {
    std::vector<Case> cases;
    for (const char* optimizer : {"SGD", "Adam"}) {
      for (const int accumulate : {1, 2}) {
        for (const char* schedule : {"oneCycle", "plateau"}) {
          cases.push_back({.optimizer = optimizer,
                           .dropout = true,
                           .schedule = schedule,
                           .ema = true,
                           .augmented = true,
                           .accumulate = accumulate,
                           .saveEvery = 3});
        }
      }
    }
    return killEverywhere(cases);
  }
  if (mode == "anytime") {
    // Wide nets: a save of three megabytes takes longer than a step.
    return killAnytime({.optimizer = "Adam", .dropout = true, .schedule = "plateau", .ema = true, .width = 2000}, 60) +
           killAnytime({.optimizer = "SGD", .schedule = "oneCycle", .saveEvery = 3, .width = 1000}, 60);
  }
  std::fprintf(stderr, "no mode \"%s\"\n", mode.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc == 5 && std::string(argv[1]) == "train") return train(argv[2], Case::parse(argv[3]), argv[4]);
    return argc == 2 ? run(argv[1]) != 0 : 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
