#pragma once
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "Workload.h"

/// What a program under tests/bench/compare is: a process that builds one net, does one step, and then does as it is
/// told by lines on standard input. It answers each with one line on standard output; all else goes to standard error.
///
///   PROGRAM W2 [--infer] [--batch N] [--threads N] [--lr X] [--f64] [--layout NAME]
///
///   at the start     first SECONDS          process start to the end of the first step (or first inference call)
///   run SECONDS      ms MEDIAN STEPS LEAST  steps for that long after a warm-up: median, how many, the fastest one
///   losses N         losses L1 ... LN       training: from the initial weights anew, N steps; inference: of each of
///                                           the first N samples; 17 digits
///   peak             peak BYTES             highest resident memory so far
///   blas             blas PATH              the BLAS that is mapped, or "none"
///   quit             (ends)
///   whatever fails   error TEXT
///
/// The commands and the numbers are made here, by serve(). A program has a Session of its own and this main:
///
///   int main(int argc, char** argv) {
///     return bench::serve(argc, argv, [](const bench::Options& o) { return std::make_unique<MySession>(o); });
///   }
///
/// While one program runs, the others wait in read(): they must have no threads that spin for longer than 0.2 s.
///
/// The same for all: the batch lies in one dense row-major array as inputValues() gives it (labels as i64) and is read
/// from there in every step; what the program does to it is part of the step. A call of step() returns when its result
/// is computed. Weights, velocities and running statistics are really updated. The floor (floor/*.cpp, one program, the
/// target bench_workloads_floor, raw oneDNN) does f32 training and inference, the latter with the norms folded before
/// the first call, at any --batch and --threads; it throws on --f64. It chooses its own layouts and algorithms, all
/// before the first step; `first` then includes that choice.
namespace bench {

struct Options {
  Workload workload;
  bool infer = false;  ///< eval mode, no gradient
  long batch = 0;      ///< samples; the workload's if not given
  int threads = 2;     ///< that the program uses
  double lr = 1e-4;    ///< small, so that a long run stays where it began; 0.01 for the losses
  bool f64 = false;    ///< in f64; a program without it throws
  long depth = 4;      ///< of the workload "curve", which is ember's alone
  long width = 32;     ///< its channels
  bool direct = false; ///< ember's convolutions without Winograd
  std::string layout;  ///< memory format, where the program has several ("contiguous", "channels_last")
};

/// One net with its batch, ready to run. The constructor throws std::exception where it cannot do what is asked.
class Session {
 public:
  virtual ~Session() = default;
  /// Training: one step. Inference: one call on the batch.
  virtual void step() = 0;
  /// Training: the loss that the last step computed, before its update.
  virtual double loss() = 0;
  /// Training: back to the initial weights, velocities zero, running statistics 0 and 1.
  virtual void restart() = 0;
  /// Inference: the last result, row-major [batch, classes].
  virtual std::vector<double> logits() = 0;
};

/// Seconds since the process was started: by the clock value (CLOCK_MONOTONIC, ns) that the parent left in
/// BENCH_STARTED, else by the kernel's (in hundredths).
inline double secondsSinceStart() {
  const auto now = [](clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  if (const char* started = std::getenv("BENCH_STARTED")) return now(CLOCK_MONOTONIC) - 1e-9 * std::atof(started);
  std::ifstream file("/proc/self/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;  // field 22: start time in clock ticks since boot, 100 a second
  return now(CLOCK_BOOTTIME) - std::atof(field.c_str()) / 100;
}

/// VmHWM.
inline long long peakBytes() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::atoll(line.c_str() + 6) * 1024;
  return 0;
}

inline std::string mappedBlas() {
  std::ifstream file("/proc/self/maps");
  for (std::string line; std::getline(file, line);) {
    const auto path = line.find('/');
    if (path == std::string::npos) continue;
    const auto name = line.rfind('/');
    if (line.find("libopenblas", name) != std::string::npos || line.find("libblas", name) != std::string::npos ||
        line.find("libmkl", name) != std::string::npos)
      return line.substr(path);
  }
  return "none";
}

/// -log softmax(logits)[label] of one sample.
inline double crossEntropyOf(const double* logits, std::int64_t label) {
  const double top = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (long c = 0; c < classes; ++c) sum += std::exp(logits[c] - top);
  return std::log(sum) + top - logits[label];
}

inline Options parse(int argc, char** argv) {
  Options o;
  const auto fail = [&](const std::string& what) { throw std::invalid_argument(what); };
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] {
      if (++i >= argc) fail(word + " wants a value");
      return std::string(argv[i]);
    };
    if (word == "--infer")
      o.infer = true;
    else if (word == "--f64")
      o.f64 = true;
    else if (word == "--batch")
      o.batch = std::atol(value().c_str());
    else if (word == "--threads")
      o.threads = std::atoi(value().c_str());
    else if (word == "--lr")
      o.lr = std::atof(value().c_str());
    else if (word == "--layout")
      o.layout = value();
    else if (word == "--direct")
      o.direct = true;
    else if (word == "--depth")
      o.depth = std::atol(value().c_str());
    else if (word == "--width")
      o.width = std::atol(value().c_str());
    else if (word == "curve")
      o.workload.name = word;
    else if (o.workload.name.empty() && word[0] != '-')
      o.workload = workload(word);
    else
      fail("unknown argument " + word);
  }
  if (o.workload.name == "curve") o.workload = curve(o.depth, o.width);
  if (o.workload.layers.empty()) fail("the first argument is a workload, W1 to W6");
  if (o.batch == 0) o.batch = o.workload.batch;
  if (o.batch < 1 || o.threads < 1 || o.depth < 1 || o.width < 1)
    fail("--batch, --threads, --depth and --width are 1 or more");
  return o;
}

/// Runs steps for so long after a warm-up (three steps and a tenth of the time); the median of each step's time.
inline std::string timed(Session& session, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); };
  const auto begin = Clock::now();
  for (int i = 0; i < 3 || since(begin) < seconds / 10; ++i) session.step();
  std::vector<double> times;
  const auto measured = Clock::now();
  while (times.size() < 3 || since(measured) < seconds) {
    const auto t = Clock::now();
    session.step();
    times.push_back(since(t) * 1e3);
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  char text[96];
  std::snprintf(text, sizeof text, "ms %.6f %zu %.6f", times[times.size() / 2], times.size(),
                *std::min_element(times.begin(), times.end()));
  return text;
}

inline std::string lossesOf(Session& session, const Options& o, long count) {
  std::vector<double> losses;
  if (o.infer) {
    session.step();
    const std::vector<double> logits = session.logits();
    const std::vector<std::int64_t> labels = labelValues(o.batch);
    if (logits.size() != labels.size() * static_cast<std::size_t>(classes))
      throw std::runtime_error("logits of another size");
    for (std::size_t i = 0; i < labels.size() && i < static_cast<std::size_t>(count); ++i)
      losses.push_back(crossEntropyOf(logits.data() + i * static_cast<std::size_t>(classes), labels[i]));
  } else {
    session.restart();
    for (long i = 0; i < count; ++i) {
      session.step();
      losses.push_back(session.loss());
    }
  }
  std::string text = "losses";
  for (const double l : losses) {
    char number[40];
    std::snprintf(number, sizeof number, " %.17g", l);
    text += number;
  }
  return text;
}

inline int serve(int argc, char** argv, const std::function<std::unique_ptr<Session>(const Options&)>& make) {
  const auto say = [](const std::string& line) { std::cout << line << std::endl; };
  try {
    const Options o = parse(argc, argv);
    const std::unique_ptr<Session> session = make(o);
    session->step();
    say("first " + std::to_string(secondsSinceStart()));
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream words(line);
      std::string command;
      double number = 0;
      words >> command >> number;
      if (command == "run")
        say(timed(*session, number));
      else if (command == "losses")
        say(lossesOf(*session, o, static_cast<long>(number)));
      else if (command == "peak")
        say("peak " + std::to_string(peakBytes()));
      else if (command == "blas")
        say("blas " + mappedBlas());
      else if (command == "quit")
        break;
      else
        say("error unknown command " + command);
    }
    return 0;
  } catch (const std::exception& e) {
    std::string text = e.what();
    std::replace(text.begin(), text.end(), '\n', ' ');
    say("error " + text);
    return 1;
  }
}

}  // namespace bench
