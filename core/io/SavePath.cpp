#include <ember/core/io/SavePath.h>

#include <fcntl.h>
#include <unistd.h>

#include <climits>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>

namespace ember::io {
namespace {

/// Follows symbolic links of the last part of a path, also to a file that does not exist yet.
std::string resolveLinks(const std::string& path, const char* op) {
  std::string current = path;
  for (int hops = 0; hops < 40; ++hops) {
    char target[PATH_MAX];
    const ssize_t length = ::readlink(current.c_str(), target, sizeof target);
    if (length < 0) return current;  // no link, or nothing there
    const std::string_view link(target, static_cast<std::size_t>(length));
    const auto slash = current.rfind('/');
    const bool absolute = !link.empty() && link[0] == '/';
    current = (absolute || slash == current.npos ? std::string() : current.substr(0, slash + 1)).append(link);
  }
  throw IoError(op, "cannot save " + inQuotes(path) + ": too many symbolic links");
}

}  // namespace

SavePath::SavePath(const std::string& path, const char* op) : given(path) {
  if (path.empty() || path.back() == '/' || path.find('\0') != path.npos)
    throw IoError(op, "not a file name: " + inQuotes(path));
  const std::string resolved = resolveLinks(path, op);
  const auto slash = resolved.rfind('/');
  folder = slash == resolved.npos ? "." : slash == 0 ? "/" : resolved.substr(0, slash);
  name = slash == resolved.npos ? resolved : resolved.substr(slash + 1);
  if (name == lockFileName)
    throw IoError(op, inQuotes(path) + " is the file that locks its folder", {}, "give another name");
}

Descriptor SavePath::openFolder(int& error) const {
  Descriptor opened(uninterrupted([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  error = opened ? 0 : errno;
  return opened;
}

bool sameTarget(const SavePath& a, const SavePath& b) {
  if (a.name != b.name) return false;
  struct stat one {}, other {};
  if (::stat(a.folder.c_str(), &one) != 0 || ::stat(b.folder.c_str(), &other) != 0) return a.folder == b.folder;
  return sameFile(one, other);
}

bool savesClash(const std::string& a, const std::string& b, const char* op) {
  const SavePath one(a, op), other(b, op);
  const auto previous = [](SavePath target) {
    target.name += ".prev";
    return target;
  };
  return sameTarget(one, other) || sameTarget(previous(one), other) || sameTarget(one, previous(other));
}

}  // namespace ember::io
