#include <ember/core/io/ForeignFormat.h>

namespace ember::io {

ForeignFormat foreignFormat(std::string_view start) noexcept {
  constexpr const char* ownOnly = "ember reads its own JSON checkpoints";
  struct Magic {
    std::string_view bytes;
    ForeignFormat format;
  };
  constexpr Magic known[] = {
      {"\x1f\x8b", {"a gzip file", "unpack it first: gunzip FILE"}},
      {"PK\x03\x04", {"a zip file (PyTorch's .pt, Keras's .keras and NumPy's .npz are such)", ownOnly}},
      {"\x80\x02", {"a Python pickle", ownOnly}},
      {"\x80\x04", {"a Python pickle", ownOnly}},
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
  if (start.size() > 8 && start[8] == '{' && start[6] == 0 && start[7] == 0) return {"a safetensors file", ownOnly};
  return {};
}

}  // namespace ember::io
