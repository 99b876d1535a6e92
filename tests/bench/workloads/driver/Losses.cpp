#include "Losses.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

#include <fmt/format.h>

namespace bench {
namespace {

std::vector<double> lossesOf(const Contender& c, const Plan& plan, const Row& row, long batch, int count, bool f64) {
  std::vector<std::string> command{c.program, row.workload,          "--threads", std::to_string(plan.threads),
                                   "--batch", std::to_string(batch), "--lr",      "0.01"};
  if (row.mode != "training") command.push_back("--infer");
  if (f64) command.push_back("--f64");
  Process process(command, c.environment);
  std::istringstream numbers(process.ask(fmt::format("losses {}", count), "losses"));
  std::vector<double> losses;
  for (double l = 0; numbers >> l;) losses.push_back(l);
  if (losses.empty()) throw ProcessError(c.key + ": no losses, or no numbers");
  return losses;
}

const Contender* find(const std::vector<Contender>& all, const std::string& key) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Contender& c) { return c.key == key; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

double relativeDifference(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double greatest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - b[i]) / std::max(std::abs(b[i]), 1e-30);
    if (!(d <= greatest)) greatest = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
  }
  return greatest;
}

void compareLosses(const Plan& plan, const std::vector<Contender>& all, Row& row) {
  const bool training = row.mode == "training";
  const bool amplifies = training && (row.workload == "W2" || row.workload == "W3");
  const int count = training ? (amplifies ? 5 : 20) : static_cast<int>(std::min(row.batch, 32L));
  row.lossTolerance = amplifies ? 1e-3 : 1e-4;
  std::vector<std::pair<std::string, std::vector<double>>> losses;
  for (const Contender& c : all) try {
      losses.emplace_back(c.key, lossesOf(c, plan, row, row.batch, count, false));
    } catch (const ProcessError& e) {
      row.results[c.key].problem = e.what();
    }
  for (const char* key : {"libtorch_best", "libtorch_installed", "ember"}) {
    const auto reference =
        std::find_if(losses.begin(), losses.end(), [&](const auto& entry) { return entry.first == key; });
    if (reference == losses.end()) continue;
    row.lossReference = key;
    for (const auto& [other, values] : losses)
      if (other != key) row.results[other].lossDifference = relativeDifference(values, reference->second);
    break;
  }
  const Contender *ember = find(all, "ember"), *libtorch = find(all, "libtorch_best");
  if (!training || !ember || !libtorch) return;
  try {
    row.f64Difference =
        relativeDifference(lossesOf(*ember, plan, row, 4, 5, true), lossesOf(*libtorch, plan, row, 4, 5, true));
  } catch (const ProcessError& e) {
    row.results["ember"].problem = std::string("in f64: ") + e.what();
  }
}

}  // namespace bench
