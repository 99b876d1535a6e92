#include "Curves.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <sstream>
#include <thread>

#include <fmt/format.h>

namespace bench {
namespace {

struct Point {
  std::string name;
  std::vector<std::string> arguments;
  double work;  ///< multiply-adds, relative to the first point
};

struct Curve {
  std::string title;
  std::vector<Point> points;
};

/// Multiply-adds of one sample through the net of curve(depth, width), forward.
double curveWork(long depth, long width) {
  return 784.0 * 9 * static_cast<double>(depth) * static_cast<double>(width) * static_cast<double>(width);
}

std::vector<Curve> curvesOf(const Plan& plan) {
  const std::string threads = std::to_string(plan.threads);
  Curve batch{"W2 against the batch", {}}, depth{"depth x [conv 3x3 32 -> 32, norm, ReLU] on 28x28, batch 32", {}},
      width{"4 x [conv 3x3 width -> width, norm, ReLU] on 28x28, batch 32", {}},
      pool{"W2, batch 128, against the threads (work: that of one thread)", {}};
  for (const long n : {1, 2, 4, 8, 16, 32, 64, 128, 256})
    batch.points.push_back(
        {std::to_string(n), {"W2", "--batch", std::to_string(n), "--threads", threads}, static_cast<double>(n)});
  for (const long d : {1, 2, 4, 8, 16, 32})
    depth.points.push_back(
        {std::to_string(d), {"curve", "--depth", std::to_string(d), "--threads", threads}, curveWork(d, 32)});
  for (const long c : {8, 16, 32, 64, 128})
    width.points.push_back(
        {std::to_string(c), {"curve", "--width", std::to_string(c), "--threads", threads}, curveWork(4, c)});
  for (unsigned t = 1; t <= std::max(2U, std::thread::hardware_concurrency()); t *= 2)
    pool.points.push_back({std::to_string(t), {"W2", "--threads", std::to_string(t)}, 1.0 / t});
  return {batch, depth, width, pool};
}

}  // namespace

bool printCurves(const Plan& plan, Progress& progress) {
  const std::vector<Contender> all = contenders(plan);
  const auto ember = std::find_if(all.begin(), all.end(), [](const Contender& c) { return c.key == "ember"; });
  if (ember == all.end()) return false;
  for (const Curve& curve : curvesOf(plan)) {
    fmt::print("\nember, training step, fastest: {}\n{:>8} {:>10} {:>12} {:>12}  {}\n", curve.title, "", "ms",
               "time, times", "work, times", "time : work, against the point above");
    double before = 0, workBefore = 0, first = 0;
    for (const Point& point : curve.points) {
      progress.show(curve.title + ": " + point.name);
      std::vector<std::string> command{ember->program};
      command.insert(command.end(), point.arguments.begin(), point.arguments.end());
      try {
        Process process(command, ember->environment);
        double ms = std::numeric_limits<double>::infinity();  // of the fastest step: other processes don't bend it
        for (int i = 0; i < 3; ++i) {
          std::istringstream answer(process.ask(fmt::format("run {}", std::min(plan.seconds, 0.5)), "ms"));
          double median = 0, steps = 0, least = 0;
          answer >> median >> steps >> least;
          ms = std::min(ms, least);
        }
        const double grown = before > 0 ? ms / before / (point.work / workBefore) : 1;
        if (first <= 0) first = ms;
        progress.clear();
        fmt::print("{:>8} {:>10.3f} {:>12.2f} {:>12.2f}  {:.2f}{}\n", point.name, ms, ms / first,
                   point.work / curve.points[0].work, grown, grown > 1.15 ? "  worse than linear" : "");
        std::fflush(stdout);
        before = ms, workBefore = point.work;
      } catch (const ProcessError& e) {
        progress.say(e.what());
      }
    }
  }
  return true;
}

}  // namespace bench
