// How libFuzzer changes inputs that are JSON: half of the time as bytes, which is what damage looks like; else as a tree
// that stays JSON, so that what lies behind the parser is reached. In checkpoints, sizes and check sums are then made to
// agree again with what changed, and for nets the tensors with the architecture.
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/io/Base64.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/CheckpointPayload.h>
#include <ember/core/io/Crc32.h>
#include <ember/nn/Checkpoint.h>
#include <ember/nn/Registry.h>
#include <nlohmann/json.hpp>

#include "fuzz/Targets.h"
#include "fuzz/TextSink.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t maxSize);

namespace ember::fuzz {
namespace {

using Json = nlohmann::ordered_json;
using Random = std::minstd_rand;

std::size_t below(Random& random, std::size_t bound) { return bound == 0 ? 0 : random() % bound; }
bool oneIn(Random& random, std::size_t n) { return below(random, n) == 0; }

void collect(Json& node, std::vector<Json*>& nodes) {
  nodes.push_back(&node);
  if (node.is_structured())
    for (Json& child : node) collect(child, nodes);
}
Json& anyNode(Json& root, Random& random) {
  std::vector<Json*> nodes;
  collect(root, nodes);
  return *nodes[below(random, nodes.size())];
}

Json scalar(Random& random) {
  static const char* const strings[] = {"", "NaN", "Infinity", "-Infinity", "18446744073709551615", "-1", "0", "f32",
                                        "f64", "bf16", "i64", "i32", "i8", "u8", "bool", "param", "buffer", "decimal",
                                        "base64", "name", "type", "a.b", "\xc3\xa9", "9007199254740993",
#define EMBER_HOLDER(Type) #Type,
#define EMBER_LAYER(Type) #Type,
#include <ember/nn/Layers.def>
#undef EMBER_LAYER
#undef EMBER_HOLDER
  };
  switch (below(random, 9)) {
    case 0: return nullptr;
    case 1: return oneIn(random, 2);
    case 2: return 0.5 * static_cast<double>(below(random, 9)) - 1;
    case 3: return 1e300;
    case 4: return std::int64_t{1} << below(random, 63);
    case 5: return -(std::int64_t{1} << below(random, 63));
    case 6: return Json::array();
    case 7: return strings[below(random, std::size(strings))];
    default: return static_cast<std::int64_t>(below(random, 12));
  }
}

/// A small change somewhere in the tree.
void change(Json& root, Random& random) {
  Json& node = anyNode(root, random);
  if (oneIn(random, 6)) {
    const Json copy = anyNode(root, random);
    if (copy.dump(-1, ' ', false, Json::error_handler_t::replace).size() < 500) node = copy;
  } else if (node.is_number_integer() && !oneIn(random, 4)) {
    const auto value = node.get<std::int64_t>();
    node = oneIn(random, 2) ? (value < INT64_MAX ? value + 1 : value) : (value > INT64_MIN ? value - 1 : value);
  } else if (node.is_array() && !node.empty() && !oneIn(random, 6)) {
    const auto at = static_cast<std::ptrdiff_t>(below(random, node.size()));
    const Json element = node[static_cast<std::size_t>(at)];
    switch (below(random, 4)) {
      case 0: node.erase(node.begin() + at); break;
      case 1: node.insert(node.begin() + at, element); break;
      case 2: std::swap(node[static_cast<std::size_t>(at)], node[below(random, node.size())]); break;
      default: node.push_back(scalar(random)); break;
    }
  } else if (node.is_object() && !node.empty() && !oneIn(random, 6)) {
    auto member = node.begin();
    std::advance(member, static_cast<std::ptrdiff_t>(below(random, node.size())));
    const std::string key = member.key();
    switch (below(random, 3)) {
      case 0: node.erase(key); break;
      case 1: {
        const Json value = *member;
        node.erase(key);
        node[key] = value;  // behind the others now
        break;
      }
      default: node[scalar(random).dump()] = *member; break;
    }
  } else {
    node = scalar(random);
  }
}

/// The elements of a row of "tensors" in another spelling that agrees with its shape and type.
void agree(Json& row, Json& payload, Random& random, std::uint64_t& total) {
  const DType types[] = {DType::F32, DType::F64, DType::BF16, DType::I64, DType::I32, DType::I8, DType::U8, DType::Bool};
  const std::string wanted = row.at("dtype").get<std::string>();
  DType dtype = DType::F32;
  for (const DType type : types)
    if (name(type) == wanted) dtype = type;
  row["dtype"] = std::string(name(dtype));
  std::vector<i64> sizes;
  for (const Json& size : row.at("shape")) {
    if (!size.is_number_integer()) return;
    sizes.push_back(size.get<i64>());
  }
  const Shape shape(sizes);
  const i64 bytes = checkedMul(numel(shape), static_cast<i64>(itemSize(dtype)));
  if (bytes > 4096) return;
  const bool decimal = row.value("encoding", "") == "decimal";
  io::PayloadReader reader(shape, dtype, decimal ? io::Encoding::Decimal : io::Encoding::Base64);
  if (decimal) {
    Json numbers = Json::array();
    for (std::size_t i = 0; i < static_cast<std::size_t>(numel(shape)); ++i) {
      Json number = payload.is_array() && i < payload.size() ? payload[i] : Json(below(random, 100));
      if (dtype == DType::Bool) number = number == true;
      if (number.is_number_float())
        static_cast<void>(reader.number(number.dump()));
      else
        static_cast<void>(reader.scalar(Value::parse(number.dump())));
      numbers.push_back(std::move(number));
    }
    payload = std::move(numbers);
  } else {
    std::string raw(static_cast<std::size_t>(bytes), '\0');
    std::size_t done = 0;
    if (payload.is_array()) {
      for (const Json& chunk : payload) {
        if (chunk.is_string())
          done += io::decodeBase64(chunk.get_ref<const std::string&>(), raw.data() + done, raw.size() - done).bytes;
      }
    }
    for (; done < raw.size(); ++done) raw[done] = static_cast<char>(dtype == DType::Bool ? random() & 1 : random());
    payload = Json::array();
    for (std::size_t at = 0; at < raw.size();) {
      const std::size_t count = oneIn(random, 4) ? std::min<std::size_t>(3, raw.size() - at) : raw.size() - at;
      std::string text;
      io::appendBase64(text, raw.data() + at, count);
      static_cast<void>(reader.text(text));
      payload.push_back(std::move(text));
      at += count;
    }
  }
  row["bytes"] = bytes;
  row["crc32"] = io::crcText(io::payloadCrc(reader.array()));
  total += static_cast<std::uint64_t>(bytes);
}

void agree(Json& root, Random& random) {
  std::uint64_t total = 0;
  Json& data = root["data"];
  if (!data.is_object()) data = Json::object();
  for (Json& row : root.at("tensors")) agree(row, data[row.at("name").get<std::string>()], random, total);
  root["end"] = {{"tensors", root["tensors"].size()}, {"bytes", std::to_string(total)}};
}

bool isSmall(const Json& node) {
  if (node.is_number()) return node.get<double>() <= 12;
  if (!node.is_structured()) return true;
  for (const Json& child : node)
    if (!isSmall(child)) return false;
  return true;
}

/// A file of the net that "model" describes.
std::string fitted(const Json& model) {
  const auto net = nn::build(Value::parse(model.dump()));
  io::Checkpoint checkpoint = nn::checkpointOf(*net);
  checkpoint.writer = Value::object();
  TextSink sink;
  io::writeCheckpoint(sink, checkpoint);
  return sink.text;
}

std::string mutated(std::string_view text, Random& random) {
  Json root = Json::parse(text, nullptr, false);
  if (root.is_discarded()) return {};
  for (std::size_t i = 0; i < 1 + below(random, 3); ++i) change(root, random);
  static const bool nets = targetName == std::string_view("LoadNet");
  try {
    if (nets && root.contains("model") && isSmall(root["model"]) && oneIn(random, 2)) return fitted(root["model"]);
    if (root.is_object() && root.contains("tensors") && !oneIn(random, 4)) agree(root, random);
  } catch (const std::exception&) {  // it stays as it is
  }
  return root.dump(-1, ' ', false, Json::error_handler_t::ignore);
}

}  // namespace
}  // namespace ember::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t maxSize,
                                               unsigned seed) {
  ember::fuzz::Random random(seed + 1);
  if (random() & 16) return LLVMFuzzerMutate(data, size, maxSize);
  std::string text;
  try {
    text = ember::fuzz::mutated({reinterpret_cast<const char*>(data), size}, random);
  } catch (const std::exception&) {  // numbers that no tree can carry
  }
  if (text.empty() || text.size() > maxSize) return LLVMFuzzerMutate(data, size, maxSize);
  std::memcpy(data, text.data(), text.size());
  return text.size();
}
