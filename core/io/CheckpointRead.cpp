// One pass over the file, event by event: header members become Values, entries of "tensors" become a table, payloads are
// decoded straight into their arrays. If "data" stands before "tensors", it is passed over and read in a second pass.
#include <algorithm>
#include <array>
#include <unordered_map>

#include <ember/core/Error.h>
#include <ember/core/io/Base64.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/CheckpointLimits.h>
#include <ember/core/io/CheckpointPayload.h>
#include <ember/core/io/JsonReader.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

constexpr const char* op = "load";

/// One row of "tensors".
struct Entry {
  std::string name, role;
  Shape shape;
  DType dtype = DType::F32;
  Encoding encoding = Encoding::Base64;
  u64 bytes = 0;
  u32 crc = 0;
  core::NDArray array;  // once its payload is read
};

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
      case Place::Building: return feed([&] { builder_.scalar(std::move(value)); });
      case Place::Payload: return payload(payload_.scalar(value));
      case Place::Skipping: return skipScalar();
      default: unexpected(std::string(value.kindName()));
    }
  }
  void number(std::string_view digits) override {
    switch (place_) {
      case Place::Building: return feed([&] { builder_.number(digits); });
      case Place::Payload: return payload(payload_.number(digits));
      case Place::Skipping: return skipScalar();
      default: unexpected("a number");
    }
  }
  void text(std::string& text) override {
    switch (place_) {
      case Place::Building: return feed([&] { builder_.text(text); });
      case Place::Payload: return payload(payload_.text(text));
      case Place::Skipping: return skipScalar();
      default: unexpected("a string");
    }
  }
  void key(std::string& key) override {
    switch (place_) {
      case Place::Root: return startMember(key);
      case Place::Data: return startPayload(key);
      case Place::Building: return builder_.key(key);
      default: return;  // Skipping: objects exist nowhere else
    }
  }
  void beginObject() override {
    switch (place_) {
      case Place::Outside: place_ = Place::Root; return;
      case Place::DataValue: place_ = Place::Data; return;
      case Place::Tensors:
        place_ = Place::Building;
        return builder_.beginObject();
      case Place::Building: return builder_.beginObject();
      case Place::Skipping: ++skipDepth_; return;
      default: unexpected("an object");
    }
  }
  void endObject() override {
    switch (place_) {
      case Place::Root: place_ = Place::Outside; return;
      case Place::Data: return endData();
      case Place::Building: return feed([&] { builder_.endObject(); });
      default: return endSkipped();
    }
  }
  void beginArray() override {
    switch (place_) {
      case Place::TensorsValue: place_ = Place::Tensors; return;
      case Place::PayloadValue: place_ = Place::Payload; return;
      case Place::Building: return builder_.beginArray();
      case Place::Skipping: ++skipDepth_; return;
      default: unexpected("an array");
    }
  }
  void endArray() override {
    switch (place_) {
      case Place::Tensors:
        tensorsSeen_ = true;
        place_ = Place::Root;
        return;
      case Place::Payload: return endPayload();
      case Place::Building: return feed([&] { builder_.endArray(); });
      default: return endSkipped();
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
      case Place::Outside: fail(" is no ember checkpoint: it holds " + found + ", not an object");
      case Place::TensorsValue: fail(": \"tensors\" is " + found + ", expected an array");
      case Place::Tensors: fail(": \"tensors\" has " + found + " in it, expected objects");
      case Place::DataValue: fail(": \"data\" is " + found + ", expected an object");
      case Place::PayloadValue: fail(": the data of tensor " + inQuotes(entry().name) + " is " + found + ", expected an array");
      default: fail(": the data of tensor " + inQuotes(entry().name) + " has " + found + " in it");
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

  template <class Event> void feed(Event&& event) {
    event();
    if (headerValues_ + builder_.count() > maxHeaderValues && !inEntry()) fail(" has more than 1,000,000 values in its header");
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
        return !digits.empty() && digits.size() <= 6 && digits.find_first_not_of("0123456789") == digits.npos && (digits.size() == 1 || digits[0] != '0');
      };
      if (dot == text.npos || !isNumber(std::string_view(text).substr(0, dot)) || !isNumber(std::string_view(text).substr(dot + 1))) {
        fail(": \"format_version\" is " + shortText(*version) + ", expected \"" + formatVersion + "\" or the like");
      }
      const int major = std::stoi(text.substr(0, dot));
      if (major != formatMajor) {
        fail(" has the format version " + text + ", this ember reads " + std::to_string(formatMajor) + ".x", {},
             major > formatMajor ? "take a newer ember" : "no release ever wrote that version: is the file damaged?");
      }
    }
    if (const Value* features = header_.find("required_features")) {
      if (!features->isArray()) fail(": \"required_features\" is " + std::string(features->kindName()) + ", expected an array");
      // This release knows no feature that changes the meaning of a file.
      if (features->size() > 0) fail(" requires the feature " + shortText((*features)[0]) + ", which this ember does not know", {}, "take a newer ember");
    }
  }
  static std::string shortText(const Value& value) {
    if (value.isString()) return inQuotes(value.as<std::string>());
    const std::string text = value.dump();
    return text.size() <= 80 ? text : text.substr(0, 77) + "...";
  }

  // ---- "tensors" ----
  void addEntry(const Value& value) {
    const std::string number = std::to_string(entries_.size());
    if (entries_.size() >= maxTensors) fail(" lists more than 1,000,000 tensors");
    Entry entry;
    const auto wanted = [&](const char* key) -> const Value& {
      const Value* field = value.find(key);
      const std::string which = entry.name.empty() ? "entry " + number + " of \"tensors\"" : "tensor " + inQuotes(entry.name);
      if (!field) fail(": " + which + " has no \"" + key + "\"");
      return *field;
    };
    const Value& name = wanted("name");
    if (!name.isString()) fail(": the name in entry " + number + " of \"tensors\" is " + std::string(name.kindName()));
    const auto text = name.as<std::string>();
    if (const std::string problem = nameProblem(text); !problem.empty()) fail(": the tensor name " + inQuotes(text) + " " + problem);
    entry.name = text;
    const std::string tensor = ": tensor " + inQuotes(entry.name);
    const auto words = [&](const char* key) {
      const Value& field = wanted(key);
      if (!field.isString()) fail(tensor + ": \"" + key + "\" is " + shortText(field) + ", expected a string");
      return field.as<std::string>();
    };
    entry.role = words("role");
    if (const std::string problem = nameProblem(entry.role); !problem.empty()) fail(tensor + ": its role " + inQuotes(entry.role) + " " + problem);
    const std::string dtype = words("dtype");
    try {
      entry.dtype = dtypeFromName(dtype);
    } catch (const ValueError&) {
      fail(tensor + " has the unknown dtype " + inQuotes(dtype), {}, "known are f32, f64, bf16, i64, i32, i8, u8, bool");
    }
    readShape(entry, wanted("shape"), tensor);
    const Value& bytes = wanted("bytes");
    if (!(bytes == Value(entry.bytes)) && !(bytes == Value::counter(entry.bytes))) {
      fail(tensor + ": \"bytes\" is " + shortText(bytes) + ", its shape " + toString(entry.shape) + " and dtype " + dtype + " make " + std::to_string(entry.bytes));
    }
    const auto crc = parseCrc(words("crc32"));
    if (!crc) fail(tensor + ": \"crc32\" is " + inQuotes(words("crc32")) + ", expected eight hexadecimal digits");
    entry.crc = *crc;
    if (value.has("encoding")) {
      const std::string encoding = words("encoding");
      if (encoding != "base64" && encoding != "decimal") fail(tensor + " has the unknown encoding " + inQuotes(encoding), {}, "known are base64, decimal");
      if (encoding == "decimal") entry.encoding = Encoding::Decimal;
    }
    declare(entry, tensor);
    if (!index_.emplace(entry.name, entries_.size()).second) fail(tensor + " is listed twice");
    entries_.push_back(std::move(entry));
  }
  void readShape(Entry& entry, const Value& shape, const std::string& tensor) const {
    if (!shape.isArray()) fail(tensor + ": \"shape\" is " + shortText(shape) + ", expected an array");
    if (shape.size() > static_cast<std::size_t>(Dims::maxRank)) fail(tensor + " has " + std::to_string(shape.size()) + " axes, at most 8 are possible");
    for (const Value& size : shape.elements()) {
      // Only a JSON integer will do: a string, a fraction or a bool is no size.
      if (!size.isInt() || size.as<i64>() < 0) fail(tensor + ": its shape has the size " + shortText(size) + ", expected an integer, 0 or more");
      entry.shape.push(size.as<i64>());
    }
    try {
      entry.bytes = static_cast<u64>(checkedMul(numel(entry.shape), static_cast<i64>(itemSize(entry.dtype))));
    } catch (const ShapeError&) {
      fail(tensor + ": its shape " + toString(entry.shape) + " overflows");
    }
  }
  /// Refuses what the file cannot hold, before anything is allocated for it.
  void declare(const Entry& entry, const std::string& tensor) {
    const u64 elements = entry.bytes / itemSize(entry.dtype);
    const u64 characters = entry.encoding == Encoding::Decimal ? elements : entry.bytes;  // fewer than its text can have
    declaredBytes_ += entry.bytes;
    declaredCharacters_ += characters;
    if (characters > source_.size() || declaredCharacters_ > source_.size()) {
      fail(tensor + " cannot be in this file: up to it, tensors of " + bytesText(declaredBytes_) + " are declared, the file has " + bytesText(source_.size()), {},
           "it was not written or copied completely, or is damaged");
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
  Entry& entry() { return entries_[current_]; }
  const Entry& entry() const { return entries_[current_]; }

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
    fail(": tensor " + inQuotes(entry().name) + ": " + problem, {{"tensor", toString(entry().shape) + " " + std::string(ember::name(entry().dtype))}},
         entry().encoding == Encoding::Decimal ? "after a change by hand the check sum must be changed too" : "take another copy of the file");
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
      if (member && !member->isObject()) throw IoError(op, file() + ": \"" + key + "\" is " + std::string(member->kindName()) + ", expected an object");
    }
  }
  void checkComplete() const {
    if (!dataSeen_) throw IoError(op, file() + ": no field \"data\"");
    std::string missing;
    std::size_t count = 0;
    for (const Entry& entry : entries_) {
      if (entry.array.defined()) continue;
      if (count++ < 20) missing.append(missing.empty() ? "" : ", ").append(inQuotes(entry.name));
    }
    if (count > 0) throw IoError(op, file() + " has no data of " + std::to_string(count) + " listed tensors", {{"missing", missing + (count > 20 ? ", ..." : "")}});
    const Value* end = header_.find("end");
    if (!end) throw IoError(op, file() + ": no field \"end\"", {}, "it was not written or copied completely");
    const auto agrees = [&](const char* key, u64 found) {
      const Value* field = end->find(key);
      if (field && (*field == Value(found) || *field == Value::counter(found))) return;
      throw IoError(op, file() + ": \"end\" does not agree with the content",
                    {{std::string("end.") + key, field ? shortText(*field) : "missing"}, {"found", std::to_string(found)}});
    };
    agrees("tensors", entries_.size());
    agrees("bytes", declaredBytes_);
  }
  Checkpoint result() {
    Checkpoint checkpoint;
    for (const auto& [key, value] : header_.members()) {
      if (key == "writer") checkpoint.writer = value;
      else if (key == "model") checkpoint.model = value;
      else if (key == "train") checkpoint.train = value;
      else if (key == "optimizer") checkpoint.optimizer = value;
      else if (key == "scheduler") checkpoint.scheduler = value;
      else if (!isKnownMember(key)) checkpoint.extra.isNull() ? checkpoint.extra = Value::object().append(key, value) : checkpoint.extra.append(key, value);
    }
    checkpoint.tensors.reserve(entries_.size());
    for (Entry& entry : entries_) checkpoint.tensors.push_back({std::move(entry.name), std::move(entry.role), std::move(entry.array)});
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
  std::vector<Entry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
  u64 declaredBytes_ = 0, declaredCharacters_ = 0;
  bool tensorsSeen_ = false, dataSkipped_ = false, dataSeen_ = false;
  PayloadReader payload_;
  std::size_t current_ = 0, payloads_ = 0;
  u64 payloadBytes_ = 0;
  std::string lastComplete_;
};

/// Files of other programs, by their first bytes: what they are and what to do.
void refuseOtherFormats(RewindableSource& source) {
  std::array<char, 12> start{};
  const std::string_view bytes(start.data(), source.readFully(start.data(), start.size()));
  source.rewind();
  const auto begins = [&](std::string_view magic) { return bytes.substr(0, magic.size()) == magic; };
  const auto refuse = [&](const char* what, const char* help) {
    throw IoError(op, inQuotes(source.name()) + " is no ember checkpoint: it looks like " + what, {}, help);
  };
  if (begins("\x1f\x8b")) refuse("a gzip file", "unpack it first: gunzip FILE");
  if (begins("PK\x03\x04")) refuse("a zip file (PyTorch's .pt, Keras's .keras and NumPy's .npz are such)", "ember reads its own JSON checkpoints");
  if (begins("\x80\x02") || begins("\x80\x04")) refuse("a Python pickle", "ember reads its own JSON checkpoints");
  if (begins("\x89PNG")) refuse("a PNG picture", "give the checkpoint");
  if (begins("\x89HDF")) refuse("an HDF5 file", "ember reads its own JSON checkpoints");
  if (begins("\x93NUMPY")) refuse("a NumPy array", "ember reads its own JSON checkpoints");
  if (begins("\x7f" "ELF")) refuse("a program", "give the checkpoint");
  if (bytes.size() > 8 && bytes[8] == '{' && (bytes[6] == 0 && bytes[7] == 0)) refuse("a safetensors file", "ember reads its own JSON checkpoints");
}

}  // namespace

Checkpoint readCheckpoint(RewindableSource& source) {
  if (source.size() == 0) throw IoError(op, inQuotes(source.name()) + " is empty (0 bytes)");
  refuseOtherFormats(source);
  return CheckpointHandler(source).read();
}

Checkpoint readCheckpoint(const std::string& path) {
  FileSource source(path, op);
  return readCheckpoint(source);
}

}  // namespace ember::io
