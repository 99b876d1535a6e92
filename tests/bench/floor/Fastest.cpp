// Which of several primitives is the fastest here: by trying them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "Program.h"

namespace bench::raw {
namespace {

bool isReference(const Way& way) { return way.name.find("ref") != std::string::npos; }

/// Milliseconds of the primitive with its reorders, the least of several calls: the rest is other processes.
double milliseconds(const Way& way, const std::vector<std::pair<int, Desc>>& given) {
  Program program;
  Program::Arguments inputs, outputs;
  std::vector<View> filled;
  for (const auto& [index, wanted] : way.arguments) {
    const auto settled = std::find_if(given.begin(), given.end(), [i = index](const auto& g) { return g.first == i; });
    const View view = program.make(settled == given.end() ? wanted : settled->second, Kind::Kept);
    const bool output = index == DNNL_ARG_DST || index == DNNL_ARG_DIFF_SRC || index == DNNL_ARG_DIFF_WEIGHTS ||
                        index == DNNL_ARG_DIFF_BIAS;
    (output ? outputs : inputs).emplace_back(index, view);
    filled.push_back(view);
  }
  program.add(way, inputs, outputs);
  program.finish();
  // Ordinary numbers: sums of them never become denormal.
  for (const View& view : filled) std::fill_n(view.floats(), view.buffer->bytes / sizeof(float), 0.01F);
  double least = 1e30, sum = 0;
  for (int i = 0; i < 12 && (i < 4 || sum < 100); ++i) {
    const auto start = std::chrono::steady_clock::now();
    program.run();
    const double time = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    sum += time;
    if (i > 0) least = std::min(least, time);
  }
  return least;
}

}  // namespace

Way fastest(std::vector<Way> ways, const std::vector<std::pair<int, Desc>>& given) {
  if (ways.empty()) throw std::runtime_error("oneDNN has no kernel for a layer of this net");
  const auto references = std::stable_partition(ways.begin(), ways.end(), [](const Way& w) { return !isReference(w); });
  if (references != ways.begin()) ways.erase(references, ways.end());
  if (ways.size() == 1) return ways[0];
  std::size_t best = 0;
  double least = 1e30;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const double time = milliseconds(ways[i], given);
    if (std::getenv("FLOOR_VERBOSE")) std::fprintf(stderr, "  %8.3f ms  %s\n", time, ways[i].name.c_str());
    if (time < least) least = time, best = i;
  }
  return ways[best];
}

}  // namespace bench::raw
