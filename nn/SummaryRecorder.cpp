#include <ember/nn/SummaryRecorder.h>

#include <algorithm>
#include <utility>

#include <ember/autograd/Op.h>
#include <ember/core/Scope.h>
#include <ember/nn/Module.h>

namespace ember::nn {
namespace {

thread_local SummaryRecorder* active = nullptr;

std::string grouped(i64 value) {
  std::string digits = std::to_string(value);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<std::size_t>(i), 1, ',');
  return digits;
}

std::string listed(const std::vector<Shape>& shapes) {
  std::string text;
  for (const Shape& shape : shapes) text += (text.empty() ? "" : " ") + toString(shape);
  return text;
}

}  // namespace

SummaryRecorder::SummaryRecorder(const Tensors& inputs)
    : outer_(active), outerCount_(autograd::multiplyAdds()) {
  for (const Tensor& input : inputs) summary_.inputs.push_back(input.shape());
  active = this;  // last: a constructor that throws has no destructor to take it back
}

SummaryRecorder::~SummaryRecorder() {
  active = outer_;
  autograd::multiplyAdds() = outerCount_;
}

bool SummaryRecorder::recording() noexcept { return active != nullptr; }

Summary SummaryRecorder::finish(const Module& root) {
  for (const Parameter& p : root.namedParameters()) {
    summary_.parameters += p.tensor.numel();
    if (p.tensor.requiresGrad()) summary_.trainable += p.tensor.numel();
    summary_.parameterBytes += p.tensor.numel() * static_cast<i64>(itemSize(p.tensor.dtype()));
  }
  for (const Summary::Row& row : summary_.rows) {
    if (row.depth == 0) summary_.multiplyAdds += row.multiplyAdds;
    if (row.leaf) summary_.activationBytes += row.outputBytes;
  }
  return std::move(summary_);
}

SummaryRecorder::Entry::Entry(const Module& module) : module_(module) {
  if (!active) return;
  watched_ = true;
  auto& rows = active->summary_.rows;
  row_ = rows.size();
  before_ = autograd::multiplyAdds();
  rows.push_back({core::ModuleScope::current()->path(), module.typeName(), {}, active->depth_, {}, {}, 0, 0, 0, true});
  ++active->depth_;
}

SummaryRecorder::Entry::~Entry() {
  if (watched_) --active->depth_;
}

void SummaryRecorder::Entry::finish(const Tensors& outputs) {
  if (!watched_) return;
  auto& rows = active->summary_.rows;
  Summary::Row& row = rows[row_];
  row.multiplyAdds = autograd::multiplyAdds() - before_;
  row.leaf = rows.size() == row_ + 1;
  // Only now: the forward may have made the parameters.
  row.details = module_.details();
  row.parameters = module_.parameterCount();
  for (const Tensor& output : outputs) {
    row.outputBytes += output.numel() * static_cast<i64>(itemSize(output.dtype()));
    row.outputs.push_back(output.shape());
  }
  if (!outputs.empty()) row.output = row.outputs[0];
}

std::string Summary::text() const {
  std::vector<std::vector<std::string>> table{{"layer", "output", "parameters", "multiply-adds", "bytes"}};
  for (const Row& row : rows) {
    const std::string name = row.path.substr(row.path.rfind('.') == std::string::npos ? 0 : row.path.rfind('.') + 1);
    std::string label =
        std::string(static_cast<std::size_t>(row.depth) * 2, ' ') + (name.empty() ? "" : name + ": ") + row.type;
    if (!row.details.empty()) label += " (" + row.details + ")";
    table.push_back(
        {label, listed(row.outputs), grouped(row.parameters), grouped(row.multiplyAdds), grouped(row.outputBytes)});
  }
  std::vector<std::size_t> width(5, 0);
  for (const auto& line : table) {
    for (std::size_t i = 0; i < 5; ++i) width[i] = std::max(width[i], line[i].size());
  }
  std::string out = "input " + listed(inputs) + "\n";
  const std::string rule(width[0] + width[1] + width[2] + width[3] + width[4] + 8, '-');
  for (std::size_t r = 0; r < table.size(); ++r) {
    for (std::size_t i = 0; i < 5; ++i) {
      const std::string gap(width[i] - table[r][i].size(), ' ');
      out += i < 2 ? table[r][i] + gap : gap + table[r][i];
      if (i < 4) out += "  ";
    }
    out += "\n";
    if (r == 0) out += rule + "\n";
  }
  out += rule + "\n" + grouped(parameters) + " parameters (" + grouped(trainable) + " trainable, " +
         grouped(parameterBytes) + " bytes), " + grouped(multiplyAdds) + " multiply-adds, " + grouped(activationBytes) +
         " bytes of layer outputs";
  return out;
}

}  // namespace ember::nn
