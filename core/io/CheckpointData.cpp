#include <ember/core/io/CheckpointData.h>

#include <ember/core/io/Text.h>

namespace ember::io {

void CheckpointData::begin(const std::string& name) {
  entry_ = table_.find(name);
  if (!entry_) input_.refuse(" has data of a tensor " + inQuotes(name) + " that \"tensors\" does not list");
  payload_ = PayloadReader(entry_->shape, entry_->dtype, entry_->encoding);
}

void CheckpointData::end() {
  check(payload_.finish(entry_->crc));
  entry_->array = payload_.array();
  payload_ = PayloadReader();
  ++whole_;
  wholeBytes_ += entry_->bytes;
  lastWhole_ = entry_->name;
}

void CheckpointData::check(const std::string& problem) const {
  if (problem.empty()) return;
  input_.refuse(": tensor " + inQuotes(entry_->name) + ": " + problem,
                {{"tensor", toString(entry_->shape) + " " + std::string(ember::name(entry_->dtype))}},
                entry_->encoding == Encoding::Decimal ? "after a change by hand the check sum must be changed too"
                                                      : "take another copy of the file");
}

std::vector<std::pair<std::string, std::string>> CheckpointData::progress() const {
  std::vector<std::pair<std::string, std::string>> lines;
  if (whole_ > 0) lines.emplace_back("last whole", inQuotes(lastWhole_));
  lines.emplace_back("tensors", std::to_string(whole_) + " of " + std::to_string(table_.size()) + " whole");
  lines.emplace_back("payload", bytesText(wholeBytes_) + " of " + bytesText(table_.bytes()) + " whole");
  return lines;
}

}  // namespace ember::io
