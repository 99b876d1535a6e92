#include <set>

#include <ember/core/Error.h>
#include <ember/core/io/AtomicFile.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/CheckpointEntry.h>
#include <ember/core/io/CheckpointLimits.h>
#include <ember/core/io/CheckpointPayload.h>
#include <ember/core/io/CheckpointSum.h>
#include <ember/core/io/JsonReader.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

constexpr const char* op = "save";

/// Passes bytes on and counts them.
class CountingSink final : public ByteSink {
 public:
  explicit CountingSink(ByteSink& target) : target_(target) {}
  void write(std::string_view bytes) override {
    count += bytes.size();
    target_.write(bytes);
  }
  u64 count = 0;

 private:
  ByteSink& target_;
};

/// Members that only pass through must be an object's, and have no name of ours.
void checkExtra(const Value& extra, const std::string& what, bool (*isKnown)(std::string_view) noexcept) {
  if (extra.isNull()) return;
  if (!extra.isObject()) throw ValueError(op, what + " is " + std::string(extra.kindName()) + ", expected an object");
  for (const auto& [key, value] : extra.members()) {
    if (isKnown(key)) throw ValueError(op, what + " member " + inQuotes(key) + " has the name of a fixed one");
  }
}

/// A reader takes strings up to JsonLimits::tokenBytes, as they are written.
void checkLength(const std::string& text) {
  constexpr std::size_t longestEscape = 6;
  const u64 limit = JsonLimits().tokenBytes;
  if (text.size() * longestEscape + 2 <= limit) return;
  std::string json;
  appendJsonString(json, text);
  if (json.size() > limit) {
    throw ValueError(op,
                     "the header of the checkpoint has a text of " + bytesText(json.size()) + ", at most " +
                         bytesText(limit) + " are allowed",
                     {}, "keep large data in tensors");
  }
}

/// The value and all in it, as a reader counts. Throws for a text that is too long.
i64 valueCount(const Value& value) {
  i64 count = 1;
  if (value.isString()) {
    checkLength(value.as<std::string>());
  } else if (value.isArray()) {
    for (const Value& element : value.elements()) count += valueCount(element);
  } else if (value.isObject()) {
    for (const auto& [key, member] : value.members()) {
      checkLength(key);
      count += valueCount(member);
    }
  }
  return count;
}

void checkTensors(const Checkpoint& checkpoint) {
  if (checkpoint.tensors.size() > maxTensors) {
    throw ValueError(op, std::to_string(checkpoint.tensors.size()) + " tensors, a checkpoint holds at most 500,000");
  }
  std::set<std::string_view> names;
  for (const CheckpointTensor& tensor : checkpoint.tensors) {
    checkName(tensor.name, op, "the tensor name");
    checkName(tensor.role, op, "the role of a tensor");
    checkExtra(tensor.extra, "tensor " + inQuotes(tensor.name) + ": the extra", isKnownField);
    if (valueCount(tensor.extra) > maxEntryValues - 100)
      throw ValueError(op, "tensor " + inQuotes(tensor.name) + " has too many extra fields");
    if (!names.insert(tensor.name).second) throw ValueError(op, "two tensors are named " + inQuotes(tensor.name));
    if (!tensor.array.defined() || !tensor.array.hasStorage()) {
      throw ValueError(op, "tensor " + inQuotes(tensor.name) + " has no data", {}, "it is undefined or shape-only");
    }
  }
}

void checkHeader(const Checkpoint& checkpoint) {
  const auto objectOrNull = [](const Value& value, const char* name) {
    if (!value.isNull() && !value.isObject()) {
      throw ValueError(op,
                       "\"" + std::string(name) + "\" is " + std::string(value.kindName()) + ", expected an object");
    }
  };
  objectOrNull(checkpoint.writer, "writer");
  objectOrNull(checkpoint.model, "model");
  objectOrNull(checkpoint.train, "train");
  objectOrNull(checkpoint.optimizer, "optimizer");
  objectOrNull(checkpoint.scheduler, "scheduler");
  objectOrNull(checkpoint.selfTest, "self_test");
  checkExtra(checkpoint.extra, "the extra header", isKnownMember);
  i64 count = 100;  // more than the members that are always written
  for (const Value* part : {&checkpoint.writer, &checkpoint.model, &checkpoint.train, &checkpoint.optimizer,
                            &checkpoint.scheduler, &checkpoint.selfTest, &checkpoint.extra}) {
    count += valueCount(*part);
  }
  if (count > maxHeaderValues) {
    throw ValueError(
        op, "the header of the checkpoint has " + std::to_string(count) + " values, at most 1,000,000 are allowed", {},
        "keep large lists in tensors");
  }
}

Encoding encodingOf(const core::NDArray& dense, const CheckpointOptions& options) {
  const bool decimal = options.readable && dense.numel() <= options.decimalLimit && fitsDecimal(dense);
  return decimal ? Encoding::Decimal : Encoding::Base64;
}

/// Bytes that the file will have at least: base64 of the elements.
u64 sizeAtLeast(const Checkpoint& checkpoint, const CheckpointOptions& options) {
  u64 bytes = 0;
  for (const CheckpointTensor& tensor : checkpoint.tensors) {
    const bool decimal = options.readable && tensor.array.numel() <= options.decimalLimit;
    if (decimal || !tensor.array.hasStorage()) continue;
    bytes += (static_cast<u64>(tensor.array.bytes()) + 2) / 3 * 4;
  }
  return bytes;
}

}  // namespace

const CheckpointTensor* Checkpoint::find(std::string_view name) const noexcept {
  for (const CheckpointTensor& tensor : tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

void writeCheckpoint(ByteSink& target, const Checkpoint& checkpoint, const CheckpointOptions& options) {
  checkTensors(checkpoint);
  checkHeader(checkpoint);
  CountingSink sink(target);
  JsonWriter writer(sink);
  CheckpointSum sum;
  const auto member = [&](std::string_view name, const Value& value) {
    writer.member(name, value);
    sum.add(name, value);
  };
  const auto memberIfAny = [&](std::string_view name, const Value& value) {
    if (!value.isNull()) member(name, value);
  };
  writer.beginObject();
  member("format", formatName);
  member("format_version", formatVersion);
  member("required_features", Value::array());
  member("writer", checkpoint.writer.isNull() ? writerInfo() : checkpoint.writer);
  memberIfAny("model", checkpoint.model);
  memberIfAny("train", checkpoint.train);
  memberIfAny("optimizer", checkpoint.optimizer);
  memberIfAny("scheduler", checkpoint.scheduler);

  // First pass: the list with the check sums. A tensor that is not dense row-major is copied in each pass rather than
  // kept.
  writer.key("tensors");
  writer.beginArray();
  u64 bytes = 0;
  std::vector<Encoding> encodings;
  for (const CheckpointTensor& tensor : checkpoint.tensors) {
    const core::NDArray dense = tensor.array.contiguous();
    encodings.push_back(encodingOf(dense, options));
    Value entry{{"name", tensor.name},          {"role", tensor.role},
                {"dtype", name(dense.dtype())}, {"shape", dense.shape().vector()},
                {"bytes", dense.bytes()},       {"crc32", crcText(payloadCrc(dense))}};
    if (encodings.back() == Encoding::Decimal) entry.set("encoding", "decimal");
    if (!tensor.extra.isNull()) {
      for (const auto& [key, value] : tensor.extra.members()) entry.append(key, value);
    }
    writer.value(entry, 100'000);  // one line each
    sum.add("tensors", entry);
    bytes += static_cast<u64>(dense.bytes());
  }
  writer.endArray();
  memberIfAny("self_test", checkpoint.selfTest);
  if (!checkpoint.extra.isNull()) {
    for (const auto& [key, value] : checkpoint.extra.members()) member(key, value);
  }
  if (sink.count > maxHeaderBytes - 1024) {
    throw ValueError(op, "the header of the checkpoint has " + bytesText(sink.count) + ", at most " +
                             bytesText(maxHeaderBytes) + " are allowed");
  }

  writer.key("data");
  writer.beginObject();
  for (std::size_t i = 0; i < checkpoint.tensors.size(); ++i) {
    writer.key(checkpoint.tensors[i].name);
    writePayload(writer, checkpoint.tensors[i].array.contiguous(), encodings[i]);
  }
  writer.endObject();
  writer.member("end", {{"tensors", checkpoint.tensors.size()},
                        {"bytes", Value::counter(bytes)},
                        {CheckpointSum::field, crcText(sum.value())}});
  writer.endObject();
}

void writeCheckpoint(const std::string& path, const Checkpoint& checkpoint, const CheckpointOptions& options) {
  AtomicFile file(path, op, {.keepPrevious = options.keepPrevious, .verify = options.verify});
  file.reserve(sizeAtLeast(checkpoint, options));
  writeCheckpoint(file, checkpoint, options);
  file.commit();
}

}  // namespace ember::io
