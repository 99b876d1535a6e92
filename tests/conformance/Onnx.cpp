#include "conformance/Onnx.h"

#include <bit>
#include <cstring>

#include <fmt/format.h>

#include <ember/core/Error.h>
#include <ember/core/io/ByteSource.h>

#include "conformance/Wire.h"

namespace ember::test::onnx {
namespace {

using Wire = Field::Wire;

/// Appends what a repeated numeric field holds: one number, or packed a list of them.
void appendIntegers(std::vector<i64>& list, const Message& message, const Field& field) {
  if (field.wire == Wire::Varint) {
    list.push_back(field.integer());
  } else {
    message.expect(field, Wire::Bytes);
    for (Message packed(field.bytes, message.name()); !packed.atEnd();) {
      list.push_back(static_cast<i64>(packed.varint()));
    }
  }
}

void appendReals(std::vector<double>& list, const Message& message, const Field& field, Wire one) {
  const auto real = [&](u64 bits) {
    return one == Wire::Fixed64 ? std::bit_cast<double>(bits) : std::bit_cast<float>(static_cast<u32>(bits));
  };
  if (field.wire == one) {
    list.push_back(real(field.number));
  } else {
    message.expect(field, Wire::Bytes);
    for (Message packed(field.bytes, message.name()); !packed.atEnd();) {
      list.push_back(real(packed.fixed(one == Wire::Fixed64 ? 8 : 4)));
    }
  }
}

std::string_view bytesOf(const Message& message, const Field& field) {
  message.expect(field, Wire::Bytes);
  return field.bytes;
}

struct TensorFields {
  std::string name;
  std::vector<i64> dims;
  i64 type = 0;
  std::vector<double> reals;   // float_data, double_data
  std::vector<i64> integers;   // int32_data, int64_data
  std::string_view raw;
  bool hasRaw = false;
};

TensorFields tensorFields(Message message) {
  TensorFields t;
  for (Field field; message.next(field);) {
    switch (field.id) {
      case 1: appendIntegers(t.dims, message, field); break;
      case 2: message.expect(field, Wire::Varint), t.type = field.integer(); break;
      case 4: appendReals(t.reals, message, field, Wire::Fixed32); break;
      case 5:
      case 7: appendIntegers(t.integers, message, field); break;
      case 8: t.name = bytesOf(message, field); break;
      case 9: t.raw = bytesOf(message, field), t.hasRaw = true; break;
      case 10: appendReals(t.reals, message, field, Wire::Fixed64); break;
      case 13: throw Unsupported("a tensor in another file");
      default: break;  // documentation, and lists of types that dtypeOf() refuses
    }
  }
  return t;
}

/// The element for a number of a typed list, where bf16 stands as its bits.
template <class T, class Number>
T element(Number value) {
  if constexpr (std::is_same_v<T, bf16>) {
    T result;
    result.bits = static_cast<std::uint16_t>(value);
    return result;
  } else {
    return static_cast<T>(value);
  }
}

Tensor tensorOf(const TensorFields& t, const Message& message) {
  const DType dtype = dtypeOf(t.type);
  const bool real = dtype == DType::F32 || dtype == DType::F64;
  const Shape shape(t.dims);
  const i64 count = numel(shape);
  const i64 wanted = t.hasRaw ? checkedMul(count, static_cast<i64>(itemSize(dtype))) : count;
  const std::size_t given = t.hasRaw ? t.raw.size() : real ? t.reals.size() : t.integers.size();
  if (given != static_cast<std::size_t>(wanted)) {  // before anything of that size is made
    message.refuse(fmt::format("tensor {} has {} {}, expected {}", toString(shape), given,
                               t.hasRaw ? "bytes" : "elements", wanted));
  }
  const core::NDArray array = core::NDArray::empty(shape, dtype);
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* to = array.data<T>();
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      if (!t.hasRaw) {
        to[i] = real ? element<T>(t.reals[i]) : element<T>(t.integers[i]);
      } else if constexpr (std::is_same_v<T, bool>) {
        to[i] = t.raw[i] != 0;  // whatever byte stands for true
      } else {
        std::memcpy(to + i, t.raw.data() + i * sizeof(T), sizeof(T));
      }
    }
  });
  return Tensor(array);
}

std::pair<std::string, Attribute> attributeOf(Message message) {
  std::pair<std::string, Attribute> result;
  auto& [name, attribute] = result;
  for (Field field; message.next(field);) {
    switch (field.id) {
      case 1: name = bytesOf(message, field); break;
      case 2: message.expect(field, Wire::Fixed32), attribute.number = field.real(); break;
      case 3: message.expect(field, Wire::Varint), attribute.integer = field.integer(); break;
      case 4: attribute.text = bytesOf(message, field); break;
      case 5: attribute.tensor = parseTensor(bytesOf(message, field), message.name()); break;
      case 7: appendReals(attribute.numbers, message, field, Wire::Fixed32); break;
      case 8: appendIntegers(attribute.integers, message, field); break;
      case 9: attribute.texts.emplace_back(bytesOf(message, field)); break;
      default: break;  // graphs belong to ops that have no row
    }
  }
  return result;
}

Node nodeOf(Message message) {
  Node node;
  for (Field field; message.next(field);) {
    switch (field.id) {
      case 1: node.inputs.emplace_back(bytesOf(message, field)); break;
      case 2: node.outputs.emplace_back(bytesOf(message, field)); break;
      case 4: node.op = bytesOf(message, field); break;
      case 5: node.attributes.insert(attributeOf(Message(bytesOf(message, field), message.name()))); break;
      case 7: node.domain = bytesOf(message, field); break;
      default: break;
    }
  }
  return node;
}

Port portOf(Message message) {
  Port port;
  for (Field field; message.next(field);) {
    if (field.id == 1) port.name = bytesOf(message, field);
    if (field.id != 2) continue;
    Message type(bytesOf(message, field), message.name());
    for (Field kind; type.next(kind);) {
      if (kind.id != 6) port.isTensor = kind.id == 1;  // 6 is a denotation
    }
  }
  return port;
}

void readGraph(Model& model, Message message) {
  for (Field field; message.next(field);) {
    if (field.id != 1 && field.id != 5 && field.id != 11 && field.id != 12) continue;
    const Message part(bytesOf(message, field), message.name());
    switch (field.id) {
      case 1: model.nodes.push_back(nodeOf(part)); break;
      case 5: {
        const TensorFields fields = tensorFields(part);
        model.constants.insert_or_assign(fields.name, tensorOf(fields, part));
        break;
      }
      case 11: model.inputs.push_back(portOf(part)); break;
      default: model.outputs.push_back(portOf(part)); break;
    }
  }
  std::erase_if(model.inputs, [&](const Port& port) { return model.constants.contains(port.name); });
}

}  // namespace

DType dtypeOf(i64 onnxType) {
  switch (onnxType) {
    case 1: return DType::F32;
    case 2: return DType::U8;
    case 3: return DType::I8;
    case 6: return DType::I32;
    case 7: return DType::I64;
    case 9: return DType::Bool;
    case 11: return DType::F64;
    case 16: return DType::BF16;
    case 4: throw Unsupported("dtype u16");
    case 5: throw Unsupported("dtype i16");
    case 8: throw Unsupported("dtype string");
    case 10: throw Unsupported("dtype f16");
    case 12: throw Unsupported("dtype u32");
    case 13: throw Unsupported("dtype u64");
    default: throw Unsupported(fmt::format("dtype number {}", onnxType));
  }
}

Tensor parseTensor(std::string_view bytes, const std::string& name) {
  const Message message(bytes, name);
  return tensorOf(tensorFields(message), message);
}

Model parseModel(std::string_view bytes, const std::string& name) {
  Model model;
  Message message(bytes, name);
  for (Field field; message.next(field);) {
    if (field.id == 7) readGraph(model, Message(bytesOf(message, field), name));
    if (field.id == 8) {
      std::string domain;
      i64 version = 0;
      Message opset(bytesOf(message, field), name);
      for (Field part; opset.next(part);) {
        if (part.id == 1) domain = bytesOf(opset, part);
        if (part.id == 2) opset.expect(part, Wire::Varint), version = part.integer();
      }
      if (domain.empty()) model.opset = version;
    }
  }
  return model;
}

std::string readBytes(const std::string& path) {
  io::FileSource file(path, "onnx");
  std::string bytes(static_cast<std::size_t>(file.size()), '\0');
  bytes.resize(file.readFully(bytes.data(), bytes.size()));
  return bytes;
}

}  // namespace ember::test::onnx
