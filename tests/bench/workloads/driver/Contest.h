#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../Workload.h"
#include "Process.h"
#include "Progress.h"

namespace bench {

/// What is to be measured, and how long.
struct Plan {
  std::vector<std::string> workloads = workloadNames();
  std::vector<std::string> modes = {"training", "inference", "inference_batch1"};
  int rounds = 5;
  double seconds = 0.6;  ///< of one turn
  int threads = 2;
  bool fastest = false;       ///< the fastest step of all counts, not the median of the turns' medians
  bool check = true;          ///< compare losses before
  std::string installedBlas;  ///< folder of the BLAS of libtorch as installed; empty: the system's choice
  std::string folder;         ///< where the programs are
  std::string json;           ///< file to write; empty: none
};

/// A program with the environment that it runs in.
struct Contender {
  std::string key;      ///< "ember", "libtorch_best", "libtorch_installed", "floor"
  std::string program;  ///< its file
  Process::Environment environment = {};
};

/// All that is known of one contender on one workload in one mode.
struct Result {
  std::string problem = {};                 ///< why there are no times; empty: there are
  double ms = 0, fastest = 0, slowest = 0;  ///< median, least and greatest of the medians of all turns
  double first = 0;                         ///< seconds from its start to the end of the first step
  long long peak = 0;                       ///< bytes
  long long peakDirect = 0;                 ///< ember's without Winograd, where that is asked for
  std::string layout = {}, blas = {};
  std::optional<double> lossDifference = {};  ///< greatest relative one to the reference
  bool measured() const { return ms > 0; }
};

struct Row {
  std::string workload, mode;
  long batch = 0;
  std::map<std::string, Result> results;  ///< by key
  std::string lossReference;              ///< whose losses the others were compared with
  double lossTolerance = 0;
  std::optional<double> f64Difference = {};  ///< ember's and libtorch's losses in f64
  double others = 0;                         ///< part of a core that other processes took meanwhile (median)
};

/// The programs that are there; says on standard error what is missing.
std::vector<Contender> contenders(const Plan& plan);

/// Checks the losses, then lets all take turns. Never throws for a contender that fails: its Result says why.
Row measure(const Plan& plan, const std::vector<Contender>& all, const std::string& workload, const std::string& mode,
            Progress& progress);

}  // namespace bench
