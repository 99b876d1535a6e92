#include <ember/core/io/CheckpointHeader.h>

#include <utility>

#include <ember/core/io/CheckpointEntry.h>
#include <ember/core/io/CheckpointLimits.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

/// A part of a version: digits without a leading zero, few enough for an int.
bool isVersionPart(std::string_view digits) {
  return !digits.empty() && digits.size() <= 6 && digits.find_first_not_of("0123456789") == digits.npos &&
         (digits.size() == 1 || digits[0] != '0');
}

}  // namespace

bool isKnownMember(std::string_view key) noexcept {
  for (const char* known : {"format", "format_version", "required_features", "writer", "model", "train", "optimizer",
                            "scheduler", "tensors", "self_test", "data", "end"}) {
    if (key == known) return true;
  }
  return false;
}

void CheckpointHeader::begin(const std::string& key) const {
  if (!unknown_.empty() && key != "format" && key != "required_features" && key != "writer") refuseUnknown();
}

void CheckpointHeader::add(const std::string& key, Value value) {
  if (key == "format") checkFormat(value);
  if (key == "format_version") checkVersion(value);
  if (key == "required_features") checkFeatures(value);
  members_.append(key, std::move(value));
  if (!unknown_.empty() && members_.has("writer")) refuseUnknown();
}

void CheckpointHeader::checkFormat(const Value& format) const {
  if (format == Value(formatName)) return;
  input_.refuse(" is no ember checkpoint: \"format\" is " + shortText(format) + ", expected \"" + formatName + "\"");
}

void CheckpointHeader::checkVersion(const Value& version) {
  const std::string text = version.isString() ? version.as<std::string>() : std::string();
  const auto dot = text.find('.');
  if (dot == text.npos || !isVersionPart(std::string_view(text).substr(0, dot)) ||
      !isVersionPart(std::string_view(text).substr(dot + 1))) {
    input_.refuse(": \"format_version\" is " + shortText(version) + ", expected \"" + formatVersion + "\" or the like");
  }
  const int major = std::stoi(text.substr(0, dot));
  const std::string differs =
      " has the format version " + text + ", this ember reads " + std::to_string(formatMajor) + ".x";
  if (major < formatMajor) input_.refuse(differs, {}, "no release ever wrote that version: is the file damaged?");
  if (major > formatMajor) unknown_ = differs;
}

void CheckpointHeader::checkFeatures(const Value& features) {
  if (!features.isArray())
    input_.refuse(": \"required_features\" is " + std::string(features.kindName()) + ", expected an array");
  // This release knows no feature that changes the meaning of a file.
  if (features.size() > 0 && unknown_.empty())
    unknown_ = " requires the feature " + shortText(features[0]) + ", which this ember does not know";
}

void CheckpointHeader::refuseUnknown() const {
  const Value* writer = members_.find("writer");
  const Value* release = writer ? writer->find("version") : nullptr;
  const std::string by = release && release->isString() ? release->as<std::string>() : std::string();
  input_.refuse(
      unknown_, {{"this ember", EMBER_VERSION}},
      by.empty() ? "take a newer ember" : "ember " + inQuotes(by) + ", which wrote it, or a newer one reads it");
}

void CheckpointHeader::checkWhole() const {
  if (!unknown_.empty()) refuseUnknown();
  for (const char* key : {"format", "format_version", "required_features"}) {
    if (!members_.has(key)) input_.refuseWhole(" is no ember checkpoint: no field \"" + std::string(key) + "\"");
  }
  for (const char* key : {"writer", "model", "train", "optimizer", "scheduler", "self_test"}) {
    const Value* member = members_.find(key);
    if (member && !member->isObject())
      input_.refuseWhole(": \"" + std::string(key) + "\" is " + std::string(member->kindName()) +
                         ", expected an object");
  }
}

void CheckpointHeader::moveInto(Checkpoint& checkpoint) {
  const std::pair<std::string_view, Value*> places[] = {
      {"writer", &checkpoint.writer},       {"model", &checkpoint.model},         {"train", &checkpoint.train},
      {"optimizer", &checkpoint.optimizer}, {"scheduler", &checkpoint.scheduler}, {"self_test", &checkpoint.selfTest}};
  const Value members = std::exchange(members_, Value::object());
  for (const auto& [key, value] : members.members()) {
    Value* target = nullptr;
    for (const auto& place : places) {
      if (key == place.first) target = place.second;
    }
    if (target) {
      *target = value;
    } else if (!isKnownMember(key)) {
      if (checkpoint.extra.isNull()) checkpoint.extra = Value::object();
      checkpoint.extra.append(key, value);
    }
  }
}

}  // namespace ember::io
