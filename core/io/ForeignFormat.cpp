#include <ember/core/io/ForeignFormat.h>

#include <algorithm>

namespace ember::io {

ForeignFormat foreignFormat(std::string_view start) noexcept {
  constexpr const char* ownOnly = "ember reads its own JSON checkpoints, which save() writes";
  struct Magic {
    std::string_view bytes;
    ForeignFormat format;
  };
  constexpr Magic known[] = {
      {"\x1f\x8b", {"a gzip file", "unpack it first: gunzip -k FILE"}},
      {"PK\x03\x04", {"a zip file (PyTorch's .pt, Keras's .keras and NumPy's .npz are such)", ownOnly}},
      {"BZh", {"a bzip2 file", "unpack it first: bunzip2 -k FILE"}},
      {"\xfd"
       "7zXZ",
       {"an xz file", "unpack it first: unxz -k FILE"}},
      {"\x28\xb5\x2f\xfd", {"a zstd file", "unpack it first: unzstd FILE"}},
      {"\x80\x02", {"a Python pickle", ownOnly}},
      {"\x80\x03", {"a Python pickle", ownOnly}},
      {"\x80\x04", {"a Python pickle", ownOnly}},
      {"\x80\x05", {"a Python pickle", ownOnly}},
      {"\x89PNG", {"a PNG picture", "give the checkpoint"}},
      {"\x89HDF", {"an HDF5 file", ownOnly}},
      {"\x93NUMPY", {"a NumPy array", ownOnly}},
      {"\x7f"
       "ELF",
       {"a program", "give the checkpoint"}},
  };
  for (const Magic& magic : known) {
    if (start.substr(0, magic.bytes.size()) == magic.bytes) return magic.format;
  }
  // A safetensors file begins with the length of its header, 64 bits little-endian, and the header with a brace.
  if (start.substr(std::min<std::size_t>(start.size(), 6), 3) == std::string_view("\0\0{", 3))
    return {"a safetensors file", ownOnly};
  return {};
}

}  // namespace ember::io
