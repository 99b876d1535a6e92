// One pass over the file, event by event: header members become Values, entries of "tensors" become a table, payloads
// are decoded straight into their arrays. If "data" stands before "tensors", it is passed over and read in a second
// pass.
#include <algorithm>
#include <array>
#include <unordered_map>

#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/CheckpointEntry.h>
#include <ember/core/io/CheckpointLimits.h>
#include <ember/core/io/CheckpointPayload.h>
#include <ember/core/io/ForeignFormat.h>
#include <ember/core/io/JsonReader.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

constexpr const char* op = "load";

class CheckpointHandler final : public JsonHandler {
 public:
  CheckpointHandler(RewindableSource& source) : source_(source), reader_(source, op) {}

  Checkpoint read() {
    setHeaderLimit();
    reader_.read(*this);
    checkHeader();
    if (dataSkipped_) {
      source_.rewind();
      pass_ = 2;
      headerBytes_ = 0;
      place_ = Place::Outside;
      setHeaderLimit();
      reader_.read(*this);
    }
    checkComplete();
    source_.checkUnchanged();
    return result();
  }

  // ---- events ----
  void scalar(Value value) override {
    switch (place_) {
      case Place::Building:
        return feed([&] { builder_.scalar(std::move(value)); });
      case Place::Payload:
        return payload(payload_.scalar(value));
      case Place::Skipping:
        return skipScalar();
      default:
        unexpected(std::string(value.kindName()));
    }
  }
  void number(std::string_view digits) override {
    switch (place_) {
      case Place::Building:
        return feed([&] { builder_.number(digits); });
      case Place::Payload:
        return payload(payload_.number(digits));
      case Place::Skipping:
        return skipScalar();
      default:
        unexpected("a number");
    }
  }
  void text(std::string& text) override {
    switch (place_) {
      case Place::Building:
        return feed([&] { builder_.text(text); });
      case Place::Payload:
        return payload(payload_.text(text));
      case Place::Skipping:
        return skipScalar();
      default:
        unexpected("a string");
    }
  }
  void key(std::string& key) override {
    switch (place_) {
      case Place::Root:
        return startMember(key);
      case Place::Data:
        return startPayload(key);
      case Place::Building:
        return builder_.key(key);
      default:
        return;  // Skipping: objects exist nowhere else
    }
  }
  void beginObject() override {
    switch (place_) {
      case Place::Outside:
        place_ = Place::Root;
        return;
      case Place::DataValue:
        place_ = Place::Data;
        return;
      case Place::Tensors:
        place_ = Place::Building;
        return builder_.beginObject();
      case Place::Building:
        return builder_.beginObject();
      case Place::Skipping:
        ++skipDepth_;
        return;
      default:
        unexpected("an object");
    }
  }
  void endObject() override {
    switch (place_) {
      case Place::Root:
        place_ = Place::Outside;
        return;
      case Place::Data:
        return endData();
      case Place::Building:
        return feed([&] { builder_.endObject(); });
      default:
        return endSkipped();
    }
  }
  void beginArray() override {
    switch (place_) {
      case Place::TensorsValue:
        place_ = Place::Tensors;
        return;
      case Place::PayloadValue:
        place_ = Place::Payload;
        return;
      case Place::Building:
        return builder_.beginArray();
      case Place::Skipping:
        ++skipDepth_;
        return;
      default:
        unexpected("an array");
    }
  }
  void endArray() override {
    switch (place_) {
      case Place::Tensors:
        tensorsSeen_ = true;
        place_ = Place::Root;
        return;
      case Place::Payload:
        return endPayload();
      case Place::Building:
        return feed([&] { builder_.endArray(); });
      default:
        return endSkipped();
    }
  }
  std::vector<std::pair<std::string, std::string>> truncated() override {
    std::vector<std::pair<std::string, std::string>> lines;
    if (!lastComplete_.empty()) lines.emplace_back("last whole", inQuotes(lastComplete_));
    if (tensorsSeen_) {
      lines.emplace_back("tensors", std::to_string(payloads_) + " of " + std::to_string(entries_.size()) + " whole");
      lines.emplace_back("payload", bytesText(payloadBytes_) + " of " + bytesText(declaredBytes_) + " whole");
    }
    return lines;
  }

 private:
  enum class Place : u8 {
    Outside,       // before and behind the root object
    Root,          // in the root object
    Building,      // in a header member or an entry of "tensors"
    TensorsValue,  // behind "tensors":
    Tensors,       // in the list
    DataValue,     // behind "data":
    Data,          // in the object
    PayloadValue,  // behind a name in "data"
    Payload,       // in its array
    Skipping       // in something that is not wanted now
  };

  std::string file() const { return inQuotes(source_.name()); }
  [[noreturn]] void fail(const std::string& what, Error::Details details = {}, std::string_view help = {}) const {
    details.emplace_back("place", "byte " + std::to_string(reader_.position()));
    throw IoError(op, file() + what, details, help);
  }
  [[noreturn]] void unexpected(const std::string& found) const {
    switch (place_) {
      case Place::Outside:
        fail(" is no ember checkpoint: it holds " + found + ", not an object");
      case Place::TensorsValue:
        fail(": \"tensors\" is " + found + ", expected an array");
      case Place::Tensors:
        fail(": \"tensors\" has " + found + " in it, expected objects");
      case Place::DataValue:
        fail(": \"data\" is " + found + ", expected an object");
      case Place::PayloadValue:
        fail(": the data of tensor " + inQuotes(entry().name) + " is " + found + ", expected an array");
      default:
        fail(": the data of tensor " + inQuotes(entry().name) + " has " + found + " in it");
    }
  }

  // ---- header members ----
  void startMember(const std::string& key) {
    member_ = key;
    if (pass_ == 2 && key != "data") return skip();
    if (key == "tensors") {
      place_ = Place::TensorsValue;
    } else if (key == "data") {
      startData();
    } else {
      place_ = Place::Building;
    }
  }
  void skip() {
    place_ = Place::Skipping;
    skipDepth_ = 0;
  }
  void skipScalar() {
    if (skipDepth_ == 0) endMember();
  }
  void endSkipped() {
    if (--skipDepth_ == 0) endMember();
  }
  void endMember() {
    place_ = Place::Root;
    if (member_ == "data") setHeaderLimit();
  }

  template <class Event>
  void feed(Event&& event) {
    event();
    if (headerValues_ + builder_.count() > maxHeaderValues && !inEntry())
      fail(" has more than 1,000,000 values in its header");
    if (builder_.count() > maxEntryValues && inEntry()) fail(" has more than 1,000 values in one entry of \"tensors\"");
    if (!builder_.complete()) return;
    if (inEntry()) {
      addEntry(builder_.take());
      place_ = Place::Tensors;
      return;
    }
    headerValues_ += builder_.count();
    header_.append(member_, builder_.take());
    place_ = Place::Root;
    if (member_ == "format" || member_ == "format_version" || member_ == "required_features") checkFormat();
  }
  bool inEntry() const { return member_ == "tensors"; }

  void checkFormat() const {
    if (const Value* format = header_.find("format"); format && !(*format == Value(formatName))) {
      fail(" is no ember checkpoint: \"format\" is " + shortText(*format) + ", expected \"" + formatName + "\"");
    }
    if (const Value* version = header_.find("format_version")) {
      const std::string text = version->isString() ? version->as<std::string>() : std::string();
      const auto dot = text.find('.');
      const auto isNumber = [](std::string_view digits) {
        return !digits.empty() && digits.size() <= 6 && digits.find_first_not_of("0123456789") == digits.npos &&
               (digits.size() == 1 || digits[0] != '0');
      };
      if (dot == text.npos || !isNumber(std::string_view(text).substr(0, dot)) ||
          !isNumber(std::string_view(text).substr(dot + 1))) {
        fail(": \"format_version\" is " + shortText(*version) + ", expected \"" + formatVersion + "\" or the like");
      }
      const int major = std::stoi(text.substr(0, dot));
      if (major != formatMajor) {
        fail(" has the format version " + text + ", this ember reads " + std::to_string(formatMajor) + ".x", {},
             major > formatMajor ? "take a newer ember" : "no release ever wrote that version: is the file damaged?");
      }
    }
    if (const Value* features = header_.find("required_features")) {
      if (!features->isArray())
        fail(": \"required_features\" is " + std::string(features->kindName()) + ", expected an array");
      // This release knows no feature that changes the meaning of a file.
      if (features->size() > 0)
        fail(" requires the feature " + shortText((*features)[0]) + ", which this ember does not know", {},
             "take a newer ember");
    }
  }

  // ---- "tensors" ----
  void addEntry(const Value& value) {
    if (entries_.size() >= maxTensors) fail(" lists more than 1,000,000 tensors");
    CheckpointEntry entry;
    if (const EntryProblem problem = parseEntry(value, entries_.size(), entry); !problem.what.empty()) {
      fail(": " + problem.what, {}, problem.help);
    }
    const std::string tensor = ": tensor " + inQuotes(entry.name);
    declare(entry, tensor);
    if (!index_.emplace(entry.name, entries_.size()).second) fail(tensor + " is listed twice");
    entries_.push_back(std::move(entry));
  }
  /// Refuses what the file cannot hold, before anything is allocated for it.
  void declare(const CheckpointEntry& entry, const std::string& tensor) {
    const u64 elements = entry.bytes / itemSize(entry.dtype);
    const u64 characters =
        entry.encoding == Encoding::Decimal ? elements : entry.bytes;  // fewer than its text can have
    declaredBytes_ += entry.bytes;
    declaredCharacters_ += characters;
    if (characters > source_.size() || declaredCharacters_ > source_.size()) {
      fail(tensor + " cannot be in this file: up to it, tensors of " + bytesText(declaredBytes_) +
               " are declared, the file has " + bytesText(source_.size()),
           {}, "it was not written or copied completely, or is damaged");
    }
  }

  // ---- "data" ----
  void startData() {
    if (pass_ == 1 && !tensorsSeen_) {
      dataSkipped_ = true;
      skip();
    } else {
      place_ = Place::DataValue;
    }
    headerBytes_ = reader_.position();
    reader_.setLimits({});  // the payload is as long as it is; its strings stay short
  }
  void endData() {
    dataSeen_ = true;
    endMember();
  }
  void setHeaderLimit() {
    const u64 left = maxHeaderBytes - std::min(headerBytes_, maxHeaderBytes);
    reader_.setLimits({.totalBytes = reader_.position() + left});
  }
  CheckpointEntry& entry() { return entries_[current_]; }
  const CheckpointEntry& entry() const { return entries_[current_]; }

  void startPayload(const std::string& name) {
    const auto found = index_.find(name);
    if (found == index_.end()) fail(" has data of a tensor " + inQuotes(name) + " that \"tensors\" does not list");
    current_ = found->second;
    payload_ = PayloadReader(entry().shape, entry().dtype, entry().encoding);
    place_ = Place::PayloadValue;
  }
  void payload(const std::string& problem) const {
    if (!problem.empty()) damaged(problem);
  }
  [[noreturn]] void damaged(const std::string& problem) const {
    fail(": tensor " + inQuotes(entry().name) + ": " + problem,
         {{"tensor", toString(entry().shape) + " " + std::string(ember::name(entry().dtype))}},
         entry().encoding == Encoding::Decimal ? "after a change by hand the check sum must be changed too"
                                               : "take another copy of the file");
  }
  void endPayload() {
    if (const std::string problem = payload_.finish(entry().crc); !problem.empty()) damaged(problem);
    entry().array = payload_.array();
    payload_ = PayloadReader();
    ++payloads_;
    payloadBytes_ += entry().bytes;
    lastComplete_ = entry().name;
    place_ = Place::Data;
  }

  // ---- the whole ----
  void checkHeader() const {
    for (const char* key : {"format", "format_version", "required_features"}) {
      if (!header_.has(key)) throw IoError(op, file() + " is no ember checkpoint: no field \"" + key + "\"");
    }
    if (!tensorsSeen_) throw IoError(op, file() + ": no field \"tensors\"");
    for (const char* key : {"writer", "model", "train", "optimizer", "scheduler"}) {
      const Value* member = header_.find(key);
      if (member && !member->isObject())
        throw IoError(op, file() + ": \"" + key + "\" is " + std::string(member->kindName()) + ", expected an object");
    }
  }
  void checkComplete() const {
    if (!dataSeen_) throw IoError(op, file() + ": no field \"data\"");
    std::string missing;
    std::size_t count = 0;
    for (const CheckpointEntry& entry : entries_) {
      if (entry.array.defined()) continue;
      if (count++ < 20) missing.append(missing.empty() ? "" : ", ").append(inQuotes(entry.name));
    }
    if (count > 0)
      throw IoError(op, file() + " has no data of " + std::to_string(count) + " listed tensors",
                    {{"missing", missing + (count > 20 ? ", ..." : "")}});
    const Value* end = header_.find("end");
    if (!end) throw IoError(op, file() + ": no field \"end\"", {}, "it was not written or copied completely");
    const auto agrees = [&](const char* key, u64 found) {
      const Value* field = end->find(key);
      if (field && (*field == Value(found) || *field == Value::counter(found))) return;
      throw IoError(
          op, file() + ": \"end\" does not agree with the content",
          {{std::string("end.") + key, field ? shortText(*field) : "missing"}, {"found", std::to_string(found)}});
    };
    agrees("tensors", entries_.size());
    agrees("bytes", declaredBytes_);
  }
  Checkpoint result() {
    Checkpoint checkpoint;
    for (const auto& [key, value] : header_.members()) {
      if (key == "writer")
        checkpoint.writer = value;
      else if (key == "model")
        checkpoint.model = value;
      else if (key == "train")
        checkpoint.train = value;
      else if (key == "optimizer")
        checkpoint.optimizer = value;
      else if (key == "scheduler")
        checkpoint.scheduler = value;
      else if (!isKnownMember(key))
        checkpoint.extra.isNull() ? checkpoint.extra = Value::object().append(key, value)
                                  : checkpoint.extra.append(key, value);
    }
    checkpoint.tensors.reserve(entries_.size());
    for (CheckpointEntry& entry : entries_)
      checkpoint.tensors.push_back({std::move(entry.name), std::move(entry.role), std::move(entry.array)});
    return checkpoint;
  }

  static constexpr i64 maxEntryValues = 1000;

  RewindableSource& source_;
  JsonReader reader_;
  ValueBuilder builder_;
  Place place_ = Place::Outside;
  int pass_ = 1, skipDepth_ = 0;
  std::string member_;  // of the root object, the one being read
  Value header_ = Value::object();
  i64 headerValues_ = 0;
  u64 headerBytes_ = 0;
  std::vector<CheckpointEntry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
  u64 declaredBytes_ = 0, declaredCharacters_ = 0;
  bool tensorsSeen_ = false, dataSkipped_ = false, dataSeen_ = false;
  PayloadReader payload_;
  std::size_t current_ = 0, payloads_ = 0;
  u64 payloadBytes_ = 0;
  std::string lastComplete_;
};

/// Refuses files of other programs, by their first bytes.
void refuseForeignFormats(RewindableSource& source) {
  std::array<char, 12> start{};
  const std::size_t count = source.readFully(start.data(), start.size());
  source.rewind();
  const ForeignFormat format = foreignFormat({start.data(), count});
  if (!format.name) return;
  throw IoError(op, inQuotes(source.name()) + " is no ember checkpoint: it looks like " + format.name, {}, format.help);
}

}  // namespace

Checkpoint readCheckpoint(RewindableSource& source) {
  if (source.size() == 0) throw IoError(op, inQuotes(source.name()) + " is empty (0 bytes)");
  refuseForeignFormats(source);
  return CheckpointHandler(source).read();
}

Checkpoint readCheckpoint(const std::string& path) {
  FileSource source(path, op);
  return readCheckpoint(source);
}

}  // namespace ember::io
