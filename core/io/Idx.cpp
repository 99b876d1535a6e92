#include <ember/core/io/Idx.h>

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <ember/core/Error.h>
#include <ember/core/io/Gzip.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

using core::NDArray;
constexpr const char* op = "idx";

u32 bigEndian(const u8* bytes) { return u32{bytes[0]} << 24 | u32{bytes[1]} << 16 | u32{bytes[2]} << 8 | bytes[3]; }

std::string hexBytes(const u8* bytes, std::size_t count) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < count; ++i)
    text.append(i ? " " : "").append(1, digits[bytes[i] >> 4]).append(1, digits[bytes[i] & 15]);
  return text;
}

/// How an element lies in the file, and what it becomes.
struct ElementType {
  DType dtype;
  std::size_t fileBytes;
};

ElementType elementType(u8 code, const ByteSource& source, const u8* magic) {
  switch (code) {
    case 0x08:
      return {DType::U8, 1};
    case 0x09:
      return {DType::I8, 1};
    case 0x0b:
      return {DType::I32, 2};
    case 0x0c:
      return {DType::I32, 4};
    case 0x0d:
      return {DType::F32, 4};
    case 0x0e:
      return {DType::F64, 8};
    default:
      break;
  }
  throw IoError(
      op, inQuotes(source.name()) + " is no IDX file that can be read: its element type is unknown",
      {{"bytes", hexBytes(magic, 4)}, {"known", "08 u8, 09 i8, 0b i16, 0c i32, 0d f32, 0e f64 in the third byte"}});
}

/// Turns big-endian elements at the end of the array's own memory into its elements.
void fromBigEndian(u8* bytes, i64 count, const ElementType& type) {
  if (type.fileBytes == 1) return;
  const auto n = static_cast<std::size_t>(count);
  if (type.fileBytes == 2) {
    for (std::size_t i = 0; i < n; ++i) {
      u8 pair[2];
      std::memcpy(pair, bytes + 2 * n + 2 * i, 2);  // read from the upper half: never behind what is written
      const i32 value = static_cast<std::int16_t>(static_cast<std::uint16_t>(pair[0] << 8 | pair[1]));
      std::memcpy(bytes + 4 * i, &value, 4);
    }
    return;
  }
  for (std::size_t i = 0; i < n; ++i) std::reverse(bytes + i * type.fileBytes, bytes + (i + 1) * type.fileBytes);
}

/// Where the elements go before fromBigEndian.
u8* landing(const NDArray& array, const ElementType& type) {
  u8* bytes = static_cast<u8*>(array.raw());
  return type.fileBytes == 2 ? bytes + array.bytes() / 2 : bytes;
}

}  // namespace

NDArray readIdx(ByteSource& source) {
  const std::string file = inQuotes(source.name());
  u8 magic[4] = {};
  const std::size_t got = source.readFully(magic, 4);
  if (got == 0) throw IoError(op, file + " is empty (0 bytes)");
  if (got < 4)
    throw IoError(op, file + " is cut off in its header", {{"bytes", hexBytes(magic, got)}}, "incomplete download?");
  if (magic[0] != 0 || magic[1] != 0) {
    throw IoError(op, file + " is no IDX file: the first two bytes are not zero", {{"bytes", hexBytes(magic, 4)}},
                  "give the file as it was downloaded, plain or gzip");
  }
  const ElementType type = elementType(magic[2], source, magic);
  const int rank = magic[3];
  if (rank < 1 || rank > Dims::maxRank) {
    throw IoError(op, file + " has " + std::to_string(rank) + " axes, 1 to 8 can be read",
                  {{"bytes", hexBytes(magic, 4)}});
  }
  u8 sizes[4 * Dims::maxRank] = {};
  const auto sizeBytes = static_cast<std::size_t>(4 * rank);
  if (source.readFully(sizes, sizeBytes) != sizeBytes) {
    throw IoError(op, file + " is cut off in its header", {{"expected", std::to_string(rank) + " sizes"}},
                  "incomplete download?");
  }
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push(bigEndian(sizes + 4 * i));
  i64 count = 0;
  try {
    count = numel(shape);
    checkedMul(count, static_cast<i64>(std::max(itemSize(type.dtype), type.fileBytes)));
  } catch (const ShapeError&) {
    throw IoError(op, file + " is not believable: its sizes " + toString(shape) + " overflow");
  }
  if (count == 0) throw IoError(op, file + " is an empty dataset: its sizes are " + toString(shape));
  const u64 expected = static_cast<u64>(count) * type.fileBytes;
  const auto tooShort = [&](u64 present) {
    throw IoError(op,
                  file + " is cut off: its sizes " + toString(shape) + " need " + bytesText(expected) + ", it has " +
                      bytesText(present),
                  {}, "incomplete download?");
  };

  // A header may claim anything: nothing is allocated that the file cannot fill.
  const u64 atMost = source.atMost();
  if (atMost - std::min<u64>(atMost, 4 + sizeBytes) < expected) tooShort(atMost - std::min<u64>(atMost, 4 + sizeBytes));

  const NDArray array = NDArray::empty(shape, type.dtype);
  const u64 present = source.readFully(landing(array, type), static_cast<std::size_t>(expected));
  if (present != expected) tooShort(present);
  u8 extra = 0;
  if (source.read(&extra, 1) != 0) {  // how many more is not asked: gzip could unpack terabytes
    throw IoError(op, file + " has more bytes than its sizes " + toString(shape) + " say: expected " +
                          bytesText(expected) + ", found at least " + bytesText(expected + 1));
  }
  fromBigEndian(static_cast<u8*>(array.raw()), count, type);
  return array;
}

NDArray readIdx(const std::string& path) {
  const auto source = openUnpacked(path, op);
  return readIdx(*source);
}

IdxPair readIdxPair(ByteSource& imageFile, ByteSource& labelFile, int classes) {
  if (classes < 1) throw ValueError(op, "classes is " + std::to_string(classes) + ", expected 1 or more");
  const std::string &imagesPath = imageFile.name(), &labelsPath = labelFile.name();
  IdxPair pair{readIdx(imageFile), readIdx(labelFile)};
  const auto check = [](const NDArray& array, int rank, const std::string& path, const char* wanted,
                        const char* other) {
    if (array.rank() == rank && array.dtype() == DType::U8) return;
    const bool swapped = array.rank() == (rank == 3 ? 1 : 3);
    throw IoError(
        op,
        inQuotes(path) + (swapped ? std::string(" is ") + other + ", not " + wanted : std::string(" is not ") + wanted),
        {{"holds", toString(array.shape()) + " " + std::string(name(array.dtype()))},
         {"expected", rank == 3 ? "[N, height, width] u8" : "[N] u8"}},
        swapped ? "images and labels are given the wrong way round?" : "");
  };
  check(pair.images, 3, imagesPath, "an image file", "a label file");
  check(pair.labels, 1, labelsPath, "a label file", "an image file");
  const i64 count = pair.labels.size(0);
  if (pair.images.size(0) != count) {
    throw IoError(
        op,
        std::to_string(pair.images.size(0)) + " images and " + std::to_string(count) + " labels do not belong together",
        {{"images", imagesPath}, {"labels", labelsPath}}, "are they of the same split (train or test)?");
  }
  const u8* labels = pair.labels.data<u8>();
  for (i64 i = 0; i < count; ++i) {
    if (labels[i] >= classes) {
      throw IoError(op, inQuotes(labelsPath) + ": label " + std::to_string(i) + " is " + std::to_string(labels[i]) +
                            ", expected 0 to " + std::to_string(classes - 1));
    }
  }
  return pair;
}

IdxPair readIdxPair(const std::string& imagesPath, const std::string& labelsPath, int classes) {
  const auto images = openUnpacked(imagesPath, op), labels = openUnpacked(labelsPath, op);
  return readIdxPair(*images, *labels, classes);
}

std::string findIdx(const std::string& folder, const std::string& stem, int rank) {
  std::string tried;
  for (const char* separator : {"-", "."}) {
    for (const char* ending : {"", ".gz"}) {
      const std::string name = stem + separator + "idx" + std::to_string(rank) + "-ubyte" + ending;
      const std::string path = folder + "/" + name;
      struct stat info {};
      if (::stat(path.c_str(), &info) == 0) return path;
      tried.append(tried.empty() ? "" : ", ").append(name);
    }
  }
  throw IoError(op, "no file with the " + stem + " in " + inQuotes(folder), {{"tried", tried}},
                "give the folder that holds the IDX files");
}

}  // namespace ember::io
