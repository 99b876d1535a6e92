// ONNX's own conformance vectors, version 1.12, as Debian packs them.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>

#include "conformance/Runner.h"

using namespace ember::test::onnx;
namespace fs = std::filesystem;

namespace {

struct Tally {
  int passed = 0, failed = 0, skipped = 0;
  std::map<std::string, std::vector<std::string>> reasons;  ///< cases skipped, by reason
};

/// Runs the cases of a folder whose names say the same about being an `_expanded` twin of another case.
Tally runCases(const std::string& part, bool expanded) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(fs::path(dataFolder) / part)) {
    const std::string name = entry.path().filename();
    if ((name.find("_expanded") != std::string::npos) == expanded) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  Tally tally;
  for (const std::string& name : names) {
    const Outcome outcome = runCase((fs::path(dataFolder) / part / name).string());
    switch (outcome.verdict) {
      case Outcome::Verdict::Passed:
        ++tally.passed;
        break;
      case Outcome::Verdict::Skipped:
        ++tally.skipped;
        tally.reasons[outcome.reason].push_back(name.starts_with("test_") ? name.substr(5) : name);
        break;
      case Outcome::Verdict::Failed:
        ++tally.failed;
        fmt::print("FAILED {}/{}: {}\n", part, name, outcome.reason);
        break;
    }
  }
  fmt::print("{}{}: {} passed, {} failed, {} skipped\n", part, expanded ? " (_expanded twins)" : "", tally.passed,
             tally.failed, tally.skipped);
  for (const auto& [reason, cases] : tally.reasons) {
    fmt::print("  skipped {:3}  {}: {}\n", cases.size(), reason, fmt::join(cases, " "));
  }
  return tally;
}

}  // namespace

TEST_CASE("the conformance vectors of ONNX pass") {
  if (!fs::exists(dataFolder)) {
    fmt::print("skipped: libonnx-testdata is not installed (third_party/install does it)\n");
    return;
  }
  int passed = 0;
  for (const char* part : {"node", "pytorch-converted", "pytorch-operator", "simple"}) {
    const Tally tally = runCases(part, false);
    CHECK(tally.failed == 0);
    passed += tally.passed;
  }
  const Tally twins = runCases("node", true);
  CHECK(twins.failed == 0);
  fmt::print("{} cases passed, beside {} _expanded twins\n", passed, twins.passed);
  CHECK(passed >= 768);  // what did when this was written: rows that are lost are noticed
}
