#include <ember/nn/Misfits.h>

#include <algorithm>

#include <ember/core/io/Text.h>
#include <ember/nn/Pattern.h>

namespace ember::nn {
namespace {

constexpr std::size_t longestList = 20;

}  // namespace

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), longestList); ++i) text.append(i ? ", " : "").append(names[i]);
  if (names.size() > longestList) text += ", ... and " + std::to_string(names.size() - longestList) + " more";
  return text;
}

std::string Misfits::counts() const {
  std::string text;
  const auto count = [&](const std::vector<std::string>& list, const char* kind) {
    if (!list.empty()) text.append(text.empty() ? "" : ", ").append(std::to_string(list.size())).append(kind);
  };
  count(missing, " missing in the file");
  count(unexpected, " unexpected");
  count(shapes, " of another shape");
  count(dtypes, " of another dtype");
  count(sharing, " shared otherwise");
  return text;
}

Error::Details Misfits::details(const std::vector<std::string>& inFile, const std::vector<std::string>& here) const {
  Error::Details lines;
  const auto add = [&](const char* label, const std::vector<std::string>& list,
                       const std::vector<std::string>* others) {
    for (std::size_t i = 0; i < std::min(list.size(), longestList); ++i) {
      const auto near = others ? nearestName(list[i], *others) : std::nullopt;
      lines.emplace_back(label, (others ? io::inQuotes(list[i]) : list[i]) +
                                    (near ? "; did you mean " + io::inQuotes(*near) + "?" : std::string()));
    }
    if (list.size() > longestList)
      lines.emplace_back(label, "... and " + std::to_string(list.size() - longestList) + " more");
  };
  add("missing", missing, &inFile);
  add("unexpected", unexpected, &here);
  add("shape", shapes, nullptr);
  add("dtype", dtypes, nullptr);
  add("sharing", sharing, nullptr);
  return lines;
}

}  // namespace ember::nn
