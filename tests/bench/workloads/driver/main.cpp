// The driver behind tests/bench/compare, which builds the programs and says what the options are.
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <stdexcept>

#include <fmt/format.h>

#include "Contest.h"
#include "Curves.h"
#include "Report.h"

namespace {

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class Names>
std::string listed(const Names& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

/// Reads the command line: driver FOLDER [OPTIONS] [W1 ...].
bench::Plan planOf(int argc, char** argv, bool& curves) {
  bench::Plan plan;
  const std::vector<std::string> modes = plan.modes;
  std::vector<std::string> workloads;
  if (argc < 2) throw UsageError("start this by tests/bench/compare");
  plan.folder = argv[1];
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] {
      if (++i >= argc) throw UsageError(word + " wants a value");
      return std::string(argv[i]);
    };
    const auto number = [&](double least, double most) {
      const std::string text = value();
      char* end = nullptr;
      const double x = std::strtod(text.c_str(), &end);
      if (end == text.c_str() || *end != '\0' || !(x >= least && x <= most))
        throw UsageError(fmt::format("{} is a number from {} to {}, not \"{}\"", word, least, most, text));
      return x;
    };
    if (word == "--json")
      plan.json = value();
    else if (word == "--rounds")
      plan.rounds = static_cast<int>(number(1, 1000));
    else if (word == "--seconds")
      plan.seconds = number(0.01, 60);
    else if (word == "--threads")
      plan.threads = static_cast<int>(number(1, 1024));
    else if (word == "--fastest")
      plan.fastest = true;
    else if (word == "--no-check")
      plan.check = false;
    else if (word == "--installed-blas")
      plan.installedBlas = value();
    else if (word == "--curves")
      curves = true;
    else if (word == "--only") {
      plan.modes = {value()};
      if (std::find(modes.begin(), modes.end(), plan.modes[0]) == modes.end())
        throw UsageError(fmt::format("--only is one of {}", listed(modes)));
    } else if (!bench::workload(word).layers.empty())
      workloads.push_back(word);
    else
      throw UsageError(fmt::format("\"{}\" is no option and none of {}", word, listed(bench::workloadNames())));
  }
  if (!workloads.empty()) plan.workloads = workloads;
  return plan;
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // a child that died is told of by its ProcessError
  bench::Progress progress;
  try {
    bool curves = false;
    const bench::Plan plan = planOf(argc, argv, curves);
    if (curves) return bench::printCurves(plan, progress) ? 0 : 1;
    std::ofstream file;
    if (!plan.json.empty()) {  // an unwritable file is told before the hour, not after
      file.open(plan.json);
      if (!file) throw UsageError(fmt::format("cannot write \"{}\"", plan.json));
    }
    const std::vector<bench::Contender> all = bench::contenders(plan);
    std::vector<bench::Row> rows;
    for (const std::string& workload : plan.workloads)
      for (const std::string& mode : plan.modes) rows.push_back(bench::measure(plan, all, workload, mode, progress));
    progress.clear();
    fmt::print("{}", bench::tables(plan, rows));
    if (file.is_open()) file << bench::json(plan, rows) << std::flush;
    if (file.is_open() && !file) throw std::runtime_error(fmt::format("cannot write \"{}\"", plan.json));
    return 0;
  } catch (const UsageError& e) {
    fmt::print(stderr, "tests/bench/compare: {}; tests/bench/compare --help says more\n", e.what());
    return 2;
  } catch (const std::exception& e) {
    progress.clear();
    fmt::print(stderr, "tests/bench/compare: {}\n", e.what());
    return 1;
  }
}
