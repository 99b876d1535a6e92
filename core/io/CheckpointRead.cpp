// One pass over the file, event by event: header members become Values, entries of "tensors" become a table, payloads
// are decoded straight into their arrays. If "data" stands before "tensors", it is passed over and read in a second
// pass.
#include <array>

#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/CheckpointData.h>
#include <ember/core/io/CheckpointHeader.h>
#include <ember/core/io/CheckpointInput.h>
#include <ember/core/io/CheckpointLimits.h>
#include <ember/core/io/CheckpointSum.h>
#include <ember/core/io/CheckpointTable.h>
#include <ember/core/io/ForeignFormat.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

/// Knows where in the file each event is and hands it on.
class CheckpointWalker final : public JsonHandler {
 public:
  explicit CheckpointWalker(RewindableSource& source) : input_(source) {}

  Checkpoint read() {
    walk();
    header_.checkWhole();
    if (!tensorsSeen_) input_.refuseWhole(": no field \"tensors\"");
    if (dataSkipped_) {
      input_.source.rewind();
      secondPass_ = true;
      walk();
    }
    if (!dataSeen_) input_.refuseWhole(": no field \"data\"");
    table_.checkWhole(header_.end());
    Checkpoint checkpoint;
    checkpoint.summed = sum_.check(*header_.end(), input_);
    input_.source.checkUnchanged();
    header_.moveInto(checkpoint);
    table_.moveInto(checkpoint);
    return checkpoint;
  }

  // ---- events ----
  void scalar(Value value) override {
    // Integers beyond 2^53 are text from here on.
    if (place_ == Place::Building && member_ == "tensors" && value.isString())
      largeIntegers_.push_back(value.as<std::string>());
    leaf(value.kindName(), [&](auto& target) { target.scalar(std::move(value)); });
  }
  void number(std::string_view digits) override {
    leaf("a number", [&](auto& target) { target.number(digits); });
  }
  void text(std::string_view text) override {
    leaf("a string", [&](auto& target) { target.text(text); });
  }
  void key(std::string& key) override {
    switch (place_) {
      case Place::Root:
        return beginMember(key);
      case Place::Data:
        data_.begin(key);
        place_ = Place::PayloadValue;
        return;
      case Place::Building:
        return builder_.key(key);
      default:  // Skipping: objects exist nowhere else
        if (!secondPass_ && ++skippedKeys_ > maxTensors)
          input_.refuse(
              " has more than 500,000 names in its data");  // all of an object are kept, to find repeated ones
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
        dataSeen_ = true;
        return endMember();
      case Place::Building:
        builder_.endObject();
        return built();
      default:
        --skipDepth_;
        return skipped();
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
        return endMember();
      case Place::Payload:
        data_.end();
        place_ = Place::Data;
        return;
      case Place::Building:
        builder_.endArray();
        return built();
      default:
        --skipDepth_;
        return skipped();
    }
  }
  std::vector<std::pair<std::string, std::string>> truncated() override {
    if (!tensorsSeen_) return {};
    return data_.progress();
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

  void walk() {
    place_ = Place::Outside;
    dataBytes_ = 0;
    limitHeader();
    input_.json.read(*this);
  }

  template <class Give>
  void leaf(std::string_view found, Give&& give) {
    switch (place_) {
      case Place::Building:
        give(builder_);
        return built();
      case Place::Payload:
        return give(data_);
      case Place::Skipping:
        return skipped();
      default:
        unexpected(std::string(found));
    }
  }
  [[noreturn]] void unexpected(const std::string& found) const {
    switch (place_) {
      case Place::Outside:
        input_.refuse(" is no ember checkpoint: it holds " + found + ", not an object");
      case Place::TensorsValue:
        input_.refuse(": \"tensors\" is " + found + ", expected an array");
      case Place::Tensors:
        input_.refuse(": \"tensors\" has " + found + " in it, expected objects");
      case Place::DataValue:
        input_.refuse(": \"data\" is " + found + ", expected an object");
      case Place::PayloadValue:
        input_.refuse(": the data of tensor " + inQuotes(data_.current()) + " is " + found + ", expected an array");
      default:
        input_.refuse(": the data of tensor " + inQuotes(data_.current()) + " has " + found + " in it");
    }
  }

  // ---- members of the root object ----
  void beginMember(const std::string& key) {
    member_ = key;
    header_.begin(key);
    if (key == "data") return beginData();
    if (secondPass_) return skip();
    place_ = key == "tensors" ? Place::TensorsValue : Place::Building;
  }
  void endMember() {
    place_ = Place::Root;
    if (member_ != "data") return;
    dataBytes_ = input_.json.position() - dataFrom_;
    limitHeader();
  }
  void beginData() {
    dataFrom_ = input_.json.position();
    input_.json.setLimits({});  // the payload is as long as it is; its strings stay short
    if (tensorsSeen_) {
      place_ = Place::DataValue;
    } else {
      dataSkipped_ = true;
      skip();
    }
  }
  /// What stands outside "data" may have maxHeaderBytes together.
  void limitHeader() {
    input_.json.setLimits({.totalBytes = maxHeaderBytes + dataBytes_, .totalShown = maxHeaderBytes});
  }

  void skip() {
    place_ = Place::Skipping;
    skipDepth_ = 0;
  }
  void skipped() {
    if (skipDepth_ == 0) endMember();
  }

  /// The builder has got one more value, or the end of one.
  void built() {
    const bool inList = member_ == "tensors";
    if (inList && builder_.count() > maxEntryValues)
      input_.refuse(" has more than 1,000 values in one entry of \"tensors\"");
    if (!inList && headerValues_ + builder_.count() > maxHeaderValues)
      input_.refuse(" has more than 1,000,000 values in its header");
    if (!builder_.complete()) return;
    if (inList) {
      const Value row = builder_.take();
      sum_.add(member_, row);
      table_.add(row, std::exchange(largeIntegers_, {}));
      place_ = Place::Tensors;
    } else {
      headerValues_ += builder_.count();
      Value value = builder_.take();
      if (member_ != "end") sum_.add(member_, value);
      header_.add(member_, std::move(value));
      endMember();
    }
  }

  CheckpointInput input_;
  CheckpointHeader header_{input_};
  CheckpointTable table_{input_};
  CheckpointData data_{input_, table_};
  CheckpointSum sum_;
  ValueBuilder builder_;
  Place place_ = Place::Outside;
  int skipDepth_ = 0;
  std::size_t skippedKeys_ = 0;
  std::string member_;                      // of the root object, the one being read
  std::vector<std::string> largeIntegers_;  // of an entry of "tensors"
  i64 headerValues_ = 0;
  u64 dataFrom_ = 0, dataBytes_ = 0;  // where "data" begins, and its length once it is over
  bool tensorsSeen_ = false, dataSkipped_ = false, dataSeen_ = false, secondPass_ = false;
};

/// Refuses files of other programs, by their first bytes.
void refuseForeignFormats(RewindableSource& source) {
  std::array<char, 12> start{};
  const std::size_t count = source.readFully(start.data(), start.size());
  source.rewind();
  const ForeignFormat format = foreignFormat({start.data(), count});
  if (!format.name) return;
  throw IoError(CheckpointInput::op, inQuotes(source.name()) + " is no ember checkpoint: it looks like " + format.name,
                {}, format.help);
}

}  // namespace

Checkpoint readCheckpoint(RewindableSource& source) {
  if (source.size() == 0) throw IoError(CheckpointInput::op, inQuotes(source.name()) + " is empty (0 bytes)");
  refuseForeignFormats(source);
  return CheckpointWalker(source).read();
}

Checkpoint readCheckpoint(const std::string& path) {
  FileSource source(path, CheckpointInput::op);
  return readCheckpoint(source);
}

}  // namespace ember::io
