#include <ember/nn/Pattern.h>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>

namespace ember::nn {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Insertions, deletions, changes and swaps of neighbours that lead from a pattern to a name; what a star stands for is
/// free.
std::size_t editDistance(std::string_view pattern, std::string_view name) {
  std::vector<std::size_t> before, last, row(name.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= pattern.size(); ++i) {
    before = std::exchange(last, row);
    const char c = lower(pattern[i - 1]);
    if (c != '*') ++row[0];
    for (std::size_t j = 1; j < row.size(); ++j) {
      const char d = lower(name[j - 1]);
      if (c == '*') {
        row[j] = std::min(last[j], row[j - 1]);
        continue;
      }
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (c == d ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && c == lower(name[j - 2]) && lower(pattern[i - 2]) == d;
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row.back();
}

bool near(std::string_view wanted, std::string_view name, std::size_t distance) {
  // Under three letters everything is like everything.
  const auto stars = static_cast<std::size_t>(std::count(wanted.begin(), wanted.end(), '*'));
  if (wanted.size() - stars >= 3 && name.find(wanted) != name.npos) return true;
  return 3 * distance <= wanted.size() - stars;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  // The usual two-pointer glob: on a mismatch, let the last star take one character more.
  std::size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::optional<std::string> nearestName(std::string_view wanted, const std::vector<std::string>& known) {
  // A file may list half a million names: what comes behind this many steps is not looked at.
  std::size_t steps = 20'000'000;
  const std::string* best = nullptr;
  std::size_t fewest = 0;
  for (const std::string& name : known) {
    const std::size_t cost = (wanted.size() + 1) * (name.size() + 1);
    if (cost > steps) break;
    steps -= cost;
    const std::size_t distance = editDistance(wanted, name);
    if (!near(wanted, name, distance) || (best && distance >= fewest)) continue;
    best = &name;
    fewest = distance;
  }
  if (!best) return {};
  return *best;
}

std::string nearestHint(std::string_view wanted, const std::vector<std::string>& known) {
  if (known.empty()) return "there is none to choose from";
  if (const auto name = nearestName(wanted, known)) return "did you mean \"" + *name + "\"?";
  constexpr std::size_t most = 8;
  std::string text = "known:";
  for (std::size_t i = 0; i < std::min(known.size(), most); ++i) text += (i > 0 ? ", \"" : " \"") + known[i] + "\"";
  if (known.size() > most) text += " and " + std::to_string(known.size() - most) + " more";
  return text;
}

}  // namespace ember::nn
