#pragma once
#include <string>

#include <ember/core/io/Descriptor.h>

namespace ember::io {

/// Where a save goes: the folder and the name of the file behind symbolic links, which may not exist yet. Of links the
/// last part of the path is followed here, the folders by the system.
struct SavePath {
  /// Throws IoError for what is no file name: empty, ending in '/', with a NUL, more than 40 links.
  SavePath(const std::string& path, const char* op);

  /// The open folder, or errno in `error`.
  Descriptor openFolder(int& error) const;

  std::string given;  ///< as the user gave it, for messages
  std::string folder, name;
};

}  // namespace ember::io
