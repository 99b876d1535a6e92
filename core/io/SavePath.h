#pragma once
#include <string>

#include <ember/core/io/Descriptor.h>

namespace ember::io {

/// Where a save goes: the folder and the name of the file behind symbolic links, which may not exist yet. Of links the
/// last part of the path is followed here, the folders by the system.
struct SavePath {
  /// Throws IoError for what is no file name: empty, ending in '/', with a NUL, more than 40 links; and for .lock, the
  /// file that locks a folder.
  SavePath(const std::string& path, const char* op);

  /// The open folder, or errno in `error`.
  Descriptor openFolder(int& error) const;

  std::string given;  ///< as the user gave it, for messages
  std::string folder, name;
};

constexpr const char* lockFileName = ".lock";

/// Whether two paths lead to one file, which may not exist yet: one name in one folder, by whatever way.
bool sameTarget(const SavePath& a, const SavePath& b);
/// Whether saves to `a` and `b` get in each other's way: they are one file, or one is where the other keeps its
/// previous generation, NAME.prev. Throws as SavePath does.
bool savesClash(const std::string& a, const std::string& b, const char* op);

}  // namespace ember::io
