#include "Report.h"

#include <cmath>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "Losses.h"
#include "Targets.h"

namespace bench {
namespace {

const Result& of(const Row& row, const std::string& key) {
  static const Result none;
  const auto found = row.results.find(key);
  return found == row.results.end() ? none : found->second;
}

/// How many times faster than `slow` `fast` is.
std::optional<double> ratio(const Result& slow, const Result& fast) {
  if (!slow.measured() || !fast.measured()) return std::nullopt;
  return slow.ms / fast.ms;
}

std::string timeText(double ms) { return ms < 10 ? fmt::format("{:.3f}", ms) : fmt::format("{:.1f}", ms); }

/// "32.0  1.59x": a baseline's time, and how much faster ember is.
std::string baseline(const Row& row, const std::string& key) {
  const Result& result = of(row, key);
  if (!result.measured()) return result.problem.empty() ? "-" : "failed";
  const auto times = ratio(result, of(row, "ember"));
  return timeText(result.ms) + (times ? fmt::format(" {:5.2f}x", *times) : "");
}

std::string megabytes(const Result& r) {
  return r.measured() ? fmt::format("{:.0f}", static_cast<double>(r.peak) / 1e6) : "-";
}

std::string seconds(const Result& r) { return r.measured() ? fmt::format("{:.2f}", r.first) : "-"; }

/// Why the losses of a contender cannot be believed; empty if they can.
std::string lossComplaint(const Row& row, const std::string& key) {
  const auto& difference = of(row, key).lossDifference;
  if (!difference || *difference <= row.lossTolerance) return {};
  return fmt::format("{} losses differ from {}'s by {:.1e} (allowed {:.0e})", key, row.lossReference, *difference,
                     row.lossTolerance);
}

/// What holds against the baselines, or against ember's numbers; empty: they can be believed.
std::string complaint(const Row& row) {
  for (const char* key : {"ember", "libtorch_installed", "floor"})
    if (const std::string text = lossComplaint(row, key); !text.empty()) return text;
  if (row.f64Difference && !(*row.f64Difference <= f64Tolerance))
    return fmt::format("losses in f64 differ by {:.1e} (allowed {:.0e})", *row.f64Difference, f64Tolerance);
  const Targets* t = targets(row.mode, row.workload);
  const auto floor = ratio(of(row, "libtorch_best"), of(row, "floor"));
  if (!t || t->floor <= 0 || !floor) return {};
  if (*floor * baselineTolerance < t->floor)
    return fmt::format("the floor is too slow: {:.2f}x libtorch, it has been {:.2f}x", *floor, t->floor);
  if (*floor > t->floor * baselineTolerance)
    return fmt::format("libtorch is too slow: the floor is {:.2f}x of it, it has been {:.2f}x", *floor, t->floor);
  return {};
}

std::string verdict(const Row& row) {
  const Result& ember = of(row, "ember");
  if (!ember.measured()) return "no verdict: ember gave no times";
  if (const std::string text = complaint(row); !text.empty()) return "no verdict: " + text;
  const Targets* t = targets(row.mode, row.workload);
  const Result& libtorch = of(row, "libtorch_best");
  const auto best = ratio(libtorch, ember), floor = ratio(of(row, "floor"), ember);
  if (!t || (!best && !floor)) return "no verdict: nothing to compare with";
  std::vector<std::string> missed;
  const auto miss = [&](bool is, const char* text, double got, double target) {
    if (is) missed.push_back(fmt::format("{:.2f} {} (target {:.2f})", got, text, target));
  };
  if (best) miss(*best < t->ember, "times libtorch", *best, t->ember);
  if (floor && t->floor > 0) miss(*floor < floorShare, "of the floor", *floor, floorShare);
  if (best && row.mode == "training") {
    const double peak = static_cast<double>(ember.peak) / static_cast<double>(libtorch.peak),
                 first = ember.first / libtorch.first;
    miss(peak > peakShare(row.workload), "of libtorch's memory", peak, peakShare(row.workload));
    miss(first > firstShare(row.workload), "of libtorch's time to the first step", first, firstShare(row.workload));
  }
  if (!missed.empty()) return fmt::format("below: {}", fmt::join(missed, ", "));
  return best && floor ? "reached" : fmt::format("reached, but without {}", best ? "the floor" : "libtorch");
}

/// Geometric mean of ember's lead over a baseline, and over how many workloads.
std::pair<double, int> meanLead(const std::vector<Row>& rows, const std::string& mode, const std::string& key) {
  double sum = 0;
  int count = 0;
  for (const Row& row : rows) {
    const auto lead = ratio(of(row, key), of(row, "ember"));
    if (row.mode != mode || !lead) continue;
    sum += std::log(*lead);
    ++count;
  }
  return {count ? std::exp(sum / count) : 0, count};
}

std::string cpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}

/// What else a reader must know of one row, in lines.
std::string remarks(const Row& row) {
  std::vector<std::string> losses, builds;
  if (const auto& d = of(row, "ember").lossDifference) losses.push_back(fmt::format("ember's within {:.1e}", *d));
  if (const auto& d = of(row, "floor").lossDifference) losses.push_back(fmt::format("the floor's within {:.1e}", *d));
  if (row.f64Difference) losses.push_back(fmt::format("ember's in f64 within {:.1e}", *row.f64Difference));
  for (const char* key : {"libtorch_best", "libtorch_installed"}) {
    const Result& r = of(row, key);
    if (!r.measured()) continue;
    const char* blas = r.blas.find("openmp") != std::string::npos    ? "OpenMP OpenBLAS"
                       : r.blas.find("pthread") != std::string::npos ? "pthread OpenBLAS"
                                                                     : r.blas.c_str();
    builds.push_back(fmt::format("{}: {}{}", key, r.layout.empty() ? "" : r.layout + ", ", blas));
  }
  std::string text;
  if (!losses.empty()) text += fmt::format("    losses: {}\n", fmt::join(losses, ", "));
  if (!builds.empty()) text += fmt::format("    {}\n", fmt::join(builds, "; "));
  if (const Result& ember = of(row, "ember"); ember.peakDirect > 0)
    text += fmt::format("    peak without Winograd: {:.0f} MB\n", static_cast<double>(ember.peakDirect) / 1e6);
  const Targets* t = targets(row.mode, row.workload);
  const auto lead = ratio(of(row, "libtorch_best"), of(row, "ember"));
  if (t && t->onnxRuntime > 0 && lead)
    text +=
        fmt::format("    ONNX Runtime 1.30 stood at {:.2f}x libtorch, ember is at {:.2f}x\n", t->onnxRuntime, *lead);
  for (const auto& [key, r] : row.results)
    if (!r.problem.empty()) text += fmt::format("    {}: {}\n", key, r.problem);
  if (row.others > 0.08) text += fmt::format("    not alone: other processes took {:.2f} of a core\n", row.others);
  return text;
}

}  // namespace

std::string tables(const Plan& plan, const std::vector<Row>& rows) {
  std::string text =
      fmt::format("{}, {} threads. {} of {} turns of {} s each; \"1.50x\": ember is 1.5 times as fast.\n", cpuName(),
                  plan.threads, plan.fastest ? "Fastest step" : "Median ms", plan.rounds, plan.seconds);
  if (plan.threads != 2)
    text += "The targets and the table's ratios were made with two threads: read no verdict here.\n";
  if (capped()) text += "ONEDNN_MAX_CPU_ISA is set: there is a target for training W2 alone.\n";
  for (const std::string& mode : plan.modes) {
    const bool training = mode == "training";
    text += fmt::format("\n{}, f32\n", training              ? "Training step"
                                       : mode == "inference" ? "Inference, full batch"
                                                             : "Inference, batch 1");
    constexpr const char* line = "{:3} {:>5} {:>8} {:>10} | {:>14} {:>14} {:>14} | {:>12} | {:>11} | {:>11}\n";
    text += fmt::format(line, "", "", "ember", "ember", "libtorch", "libtorch", "", "floor:", "peak, MB", "first, s");
    text += fmt::format(line, "", "batch", "ms", "samples/s", "best", "installed", "floor", "libtorch", "ember/torch",
                        "ember/torch");
    for (const Row& row : rows) {
      if (row.mode != mode) continue;
      const Result &ember = of(row, "ember"), &best = of(row, "libtorch_best"), &floor = of(row, "floor");
      const Targets* t = targets(mode, row.workload);
      const auto floorLead = ratio(best, floor);
      text +=
          fmt::format(line, row.workload, row.batch, ember.measured() ? timeText(ember.ms) : "-",
                      ember.measured() ? fmt::format("{:.0f}", 1e3 * static_cast<double>(row.batch) / ember.ms) : "-",
                      baseline(row, "libtorch_best"), baseline(row, "libtorch_installed"), baseline(row, "floor"),
                      fmt::format("{} of {}", floorLead ? fmt::format("{:.2f}", *floorLead) : "-",
                                  t && t->floor > 0 ? fmt::format("{:.2f}", t->floor) : "-"),
                      megabytes(ember) + " / " + megabytes(best), seconds(ember) + " / " + seconds(best));
      text += "    " + verdict(row) + "\n" + remarks(row);
    }
    for (const auto& [key, name] : {std::pair{"libtorch_best", "libtorch at its best"},
                                    {"libtorch_installed", "libtorch as installed"},
                                    {"floor", "the floor"}}) {
      const auto [lead, count] = meanLead(rows, mode, key);
      if (count == 0) continue;
      text += fmt::format("geometric mean of {} over {}: {:.2f}x", count, name, lead);
      if (training && std::string(key) == "libtorch_installed")
        text += fmt::format(" (target {:.1f}x)", installedTarget);
      text += "\n";
    }
  }
  return text;
}

std::string json(const Plan& plan, const std::vector<Row>& rows) {
  using Json = nlohmann::ordered_json;
  const auto number = [](bool there, auto value) { return there ? Json(value) : Json(nullptr); };
  Json file{{"cpu", cpuName()},
            {"threads", plan.threads},
            {"rounds", plan.rounds},
            {"seconds_per_turn", plan.seconds},
            {"statistic", plan.fastest ? "fastest" : "median"},
            {"workloads", Json::object()}};
  for (const Row& row : rows) {
    const Result &ember = of(row, "ember"), &best = of(row, "libtorch_best"),
                 &installed = of(row, "libtorch_installed"), &floor = of(row, "floor");
    const auto time = [&](const Result& r) { return number(r.measured(), r.ms); };
    const auto peak = [&](const Result& r) { return number(r.measured(), r.peak); };
    const auto first = [&](const Result& r) { return number(r.measured(), r.first); };
    const auto lead = [&](const Result& r) { return number(ratio(r, ember).has_value(), ratio(r, ember).value_or(0)); };
    const auto floorLead = ratio(best, floor);
    const Targets* t = targets(row.mode, row.workload);
    // Where there is no libtorch the floor was compared with ember.
    const auto difference = ember.lossDifference ? ember.lossDifference : floor.lossDifference;
    Json problems = Json::object();
    for (const auto& [key, r] : row.results)
      if (!r.problem.empty()) problems[key] = r.problem;
    file["workloads"][row.workload][row.mode] = {
        {"batch", row.batch},
        {"ember_ms", time(ember)},
        {"libtorch_best_ms", time(best)},
        {"libtorch_installed_ms", time(installed)},
        {"floor_ms", time(floor)},
        {"ember_samples_per_s", number(ember.measured(), 1e3 * static_cast<double>(row.batch) / ember.ms)},
        {"ember_over_libtorch_best", lead(best)},
        {"ember_over_libtorch_installed", lead(installed)},
        {"ember_over_floor", lead(floor)},
        {"ember_peak_bytes", peak(ember)},
        {"ember_peak_without_winograd_bytes", number(ember.peakDirect > 0, ember.peakDirect)},
        {"libtorch_peak_bytes", peak(best)},
        {"libtorch_installed_peak_bytes", peak(installed)},
        {"floor_peak_bytes", peak(floor)},
        {"ember_first_step_s", first(ember)},
        {"libtorch_first_step_s", first(best)},
        {"floor_first_step_s", first(floor)},
        {"libtorch_best_layout", best.layout},
        {"loss_max_rel_diff", number(difference.has_value(), difference.value_or(0))},
        {"floor_loss_max_rel_diff", number(floor.lossDifference.has_value(), floor.lossDifference.value_or(0))},
        {"f64_loss_max_rel_diff", number(row.f64Difference.has_value(), row.f64Difference.value_or(0))},
        {"floor_over_libtorch", number(floorLead.has_value(), floorLead.value_or(0))},
        {"floor_over_libtorch_expected", number(t && t->floor > 0, t ? t->floor : 0)},
        {"target_over_libtorch_best", number(t != nullptr, t ? t->ember : 0)},
        {"others_cores", row.others},
        {"verdict", verdict(row)},
        {"problems", problems}};
  }
  return file.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace bench
