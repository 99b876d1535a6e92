#include "Contest.h"

#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "Losses.h"

namespace bench {
namespace {

double medianOf(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// A contender that runs, with what its turns gave.
struct Running {
  const Contender* contender;
  std::string layout;
  std::unique_ptr<Process> process;
  std::vector<double> quiet = {}, disturbed = {};  ///< medians of turns
};

/// How the machine is used by others while it is measured.
struct Neighbours {
  std::vector<double> shares = {};  ///< of a core, turn by turn
  static constexpr double tolerable = 0.08;
  bool hopeless() const { return shares.size() >= 8 && medianOf(shares) > tolerable; }
};

/// Milliseconds of a step: the median of a turn, or its fastest.
double askTime(Process& process, const Plan& plan, double seconds) {
  std::istringstream answer(process.ask(fmt::format("run {}", seconds), "ms", 300 + 20 * seconds));
  double median = 0, steps = 0, least = 0;
  answer >> median >> steps >> least;
  const double ms = plan.fastest ? least : median;
  if (!(ms > 0)) throw ProcessError("no times, but: " + answer.str());
  return ms;
}

/// One turn; repeated, at most twice, while other processes take more than 8 % of a core.
void turn(Running& r, const Plan& plan, Neighbours& neighbours) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    usleep(200'000);  // until the threads of the last one have gone to sleep
    timespec t0{}, t1{};
    clock_gettime(CLOCK_MONOTONIC, &t0);
    const double own = r.process->cpuSeconds(), all = machineCpuSeconds();
    const double ms = askTime(*r.process, plan, plan.seconds);
    const double others = machineCpuSeconds() - all - (r.process->cpuSeconds() - own);
    clock_gettime(CLOCK_MONOTONIC, &t1);
    const double passed =
        static_cast<double>(t1.tv_sec - t0.tv_sec) + 1e-9 * static_cast<double>(t1.tv_nsec - t0.tv_nsec);
    neighbours.shares.push_back(others / passed);
    const bool isQuiet = others / passed <= Neighbours::tolerable;
    (isQuiet ? r.quiet : r.disturbed).push_back(ms);
    if (isQuiet || plan.fastest || neighbours.hopeless()) return;
  }
}

std::vector<std::string> layoutsOf(const Contender& c, const Workload& w) {
  // Only libtorch has a choice, and only for data of two or three dimensions.
  if (c.key.rfind("libtorch", 0) == 0 && w.spatial() >= 2) return {"contiguous", "channels_last"};
  return {""};
}

std::vector<std::string> commandOf(const Contender& c, const Plan& plan, const Row& row, const std::string& layout) {
  std::vector<std::string> command{
      c.program, row.workload, "--threads", std::to_string(plan.threads), "--batch", std::to_string(row.batch)};
  if (row.mode != "training") command.push_back("--infer");
  if (!layout.empty()) command.insert(command.end(), {"--layout", layout});
  return command;
}

/// Starts the contender in each memory format that it has and keeps the fastest.
Running start(const Contender& c, const Plan& plan, const Row& row, const Workload& w) {
  Running best{&c, {}, nullptr};
  double least = std::numeric_limits<double>::infinity();
  for (const std::string& layout : layoutsOf(c, w)) {
    Running r{&c, layout, std::make_unique<Process>(commandOf(c, plan, row, layout), c.environment)};
    if (layout.empty()) return r;
    const double seconds = std::min(plan.seconds, 0.4);
    const double ms = std::min(askTime(*r.process, plan, seconds), askTime(*r.process, plan, seconds));
    if (ms >= least) continue;
    least = ms;
    best = std::move(r);
  }
  return best;
}

/// What its turns and its memory say; quiet turns count alone if there are enough of them.
void conclude(Running& r, const Plan& plan, Result& result) {
  std::vector<double> times = r.quiet;
  if (plan.fastest || times.size() * 2 < static_cast<std::size_t>(plan.rounds))
    times.insert(times.end(), r.disturbed.begin(), r.disturbed.end());
  result.fastest = *std::min_element(times.begin(), times.end());
  result.ms = plan.fastest ? result.fastest : medianOf(times);
  result.slowest = *std::max_element(times.begin(), times.end());
  result.first = r.process->first();
  result.layout = r.layout;
  result.peak = std::atoll(r.process->ask("peak", "peak").c_str());
  result.blas = r.process->ask("blas", "blas");
}

/// Peak memory of the same training when no convolution runs on Winograd, which needs room for what it transforms.
long long peakWithoutWinograd(const Contender& ember, const Plan& plan, const Row& row) {
  std::vector<std::string> command = commandOf(ember, plan, row, "");
  command.push_back("--direct");
  Process process(command, ember.environment);
  askTime(process, plan, std::min(plan.seconds, 0.3));
  return std::atoll(process.ask("peak", "peak").c_str());
}

}  // namespace

std::vector<Contender> contenders(const Plan& plan) {
  const auto there = [&](const std::string& name) { return access((plan.folder + "/" + name).c_str(), X_OK) == 0; };
  std::vector<Contender> all;
  const std::string threads = std::to_string(plan.threads);
  const Process::Environment counted{{"OMP_NUM_THREADS", threads}};
  if (there("ember"))
    all.push_back({"ember", plan.folder + "/ember", counted});
  else
    fmt::print(stderr, "there is no ember program in {}\n", plan.folder);
  if (there("libtorch")) {
    Process::Environment best = counted;
    // What malloc keeps needs no page faults; 32 MiB is the highest threshold that glibc accepts.
    best.push_back({"GLIBC_TUNABLES",
                    "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=17179869184:"
                    "glibc.malloc.top_pad=67108864"});
    glob_t found{};
    if (glob("/usr/lib/*-linux-gnu/openblas-openmp", 0, nullptr, &found) == 0)
      best.push_back({"LD_LIBRARY_PATH", found.gl_pathv[0]});
    else
      fmt::print(stderr, "libtorch at its best wants OpenBLAS's OpenMP build (libopenblas0-openmp): not found\n");
    globfree(&found);
    all.push_back({"libtorch_best", plan.folder + "/libtorch", best});
    Process::Environment installed = counted;
    if (!plan.installedBlas.empty()) installed.push_back({"LD_LIBRARY_PATH", plan.installedBlas});
    all.push_back({"libtorch_installed", plan.folder + "/libtorch", installed});
  } else {
    fmt::print(stderr, "libtorch is not compared: no libtorch-dev when this was built (third_party/install --bench)\n");
  }
  if (there("floor"))
    all.push_back({"floor", plan.folder + "/floor", counted});
  else
    fmt::print(stderr, "raw oneDNN is not compared: there is no floor program\n");
  return all;
}

Row measure(const Plan& plan, const std::vector<Contender>& all, const std::string& workload, const std::string& mode,
            Progress& progress) {
  const Workload w = bench::workload(workload);
  Row row{workload, mode, mode == "inference_batch1" ? 1 : w.batch, {}, {}, 0};
  const std::string title = fmt::format("{} {}", workload, mode);
  if (plan.check) {
    progress.show(title + ": losses");
    compareLosses(plan, all, row);
  }
  std::vector<Running> running;
  for (const Contender& c : all) {
    Result& result = row.results[c.key];
    if (!result.problem.empty()) continue;
    progress.show(title + ": starting " + c.key);
    try {
      running.push_back(start(c, plan, row, w));
    } catch (const ProcessError& e) {
      result.problem = e.what();
    }
  }
  Neighbours neighbours;
  for (int round = 0; round < plan.rounds; ++round) {
    for (std::size_t i = 0; i < running.size(); ++i) {
      Running& r = running[(i + static_cast<std::size_t>(round)) % running.size()];  // each goes first in its turn
      Result& result = row.results[r.contender->key];
      if (!result.problem.empty()) continue;
      progress.show(fmt::format("{}: round {} of {}, {}", title, round + 1, plan.rounds, r.contender->key));
      try {
        turn(r, plan, neighbours);
      } catch (const ProcessError& e) {
        result.problem = e.what();
      }
    }
  }
  for (Running& r : running) {
    Result& result = row.results[r.contender->key];
    if (!result.problem.empty()) continue;
    try {
      conclude(r, plan, result);
      if (r.contender->key == "ember" && workload == "W3" && mode == "training")
        result.peakDirect = peakWithoutWinograd(*r.contender, plan, row);
    } catch (const ProcessError& e) {
      result.problem = e.what();
    }
  }
  row.others = medianOf(neighbours.shares);
  for (const auto& [key, result] : row.results)
    if (!result.problem.empty()) progress.say(fmt::format("{}: {}: {}", title, key, result.problem));
  return row;
}

}  // namespace bench
