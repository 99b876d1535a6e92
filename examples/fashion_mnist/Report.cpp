#include "Report.h"

#include <algorithm>

using namespace ember;

namespace {

double ratio(i64 part, i64 whole) { return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0; }

std::size_t widest(const std::vector<std::string>& names) {
  std::size_t width = 0;
  for (const std::string& name : names) width = std::max(width, name.size());
  return width;
}

}  // namespace

std::string classTable(const optim::Evaluation& evaluation, const std::vector<std::string>& classNames) {
  const auto& confusion = evaluation.confusion;
  const std::size_t width = widest(classNames);
  std::string text = fmt::format("{:<{}}  precision  recall      F1  pictures\n", "class", width);
  for (std::size_t c = 0; c < confusion.size(); ++c) {
    i64 said = 0, there = 0;
    for (std::size_t other = 0; other < confusion.size(); ++other) {
      said += confusion[other][c];
      there += confusion[c][other];
    }
    const i64 right = confusion[c][c];
    const double precision = ratio(right, said), recall = ratio(right, there);
    const double f1 = ratio(2 * right, said + there);
    text += fmt::format("{:<{}}  {:7.2f} %  {:5.2f} %  {:5.1f} %  {:8}\n", classNames[c], width, 100 * precision,
                        100 * recall, 100 * f1, there);
  }
  return text;
}

std::string confusionMatrix(const optim::Evaluation& evaluation, const std::vector<std::string>& classNames) {
  const auto& confusion = evaluation.confusion;
  const std::size_t width = widest(classNames);
  std::string text = fmt::format("{:<{}} ", "true \\ answer", width);
  for (std::size_t c = 0; c < confusion.size(); ++c) text += fmt::format(" {:>5}", classNames[c].substr(0, 5));
  text += '\n';
  for (std::size_t c = 0; c < confusion.size(); ++c) {
    text += fmt::format("{:<{}}  ", classNames[c], width);
    for (const i64 count : confusion[c]) text += count > 0 ? fmt::format(" {:5}", count) : std::string(6, ' ');
    text += '\n';
  }
  return text;
}
