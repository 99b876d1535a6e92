#pragma once
#include <string>

#include <ember/core/io/Descriptor.h>

/// The temporary files of saves: ".NAME.PROCESS.NANOSECONDS.COUNT.tmp" beside NAME. Whoever writes one holds a flock on
/// it, which the kernel takes from the dead; so one that can be locked belongs to nobody, whatever became of the process
/// numbers, and on whatever host.
namespace ember::io {

/// A name that no other save uses; a long `name` is cut in it.
std::string temporaryName(const std::string& name);
/// Makes a file of such a name in the open folder, opens it for writing and holds it. `temporary` is its name. On
/// failure nothing is there, and errno tells.
Descriptor makeTemporary(int folder, const std::string& name, std::string& temporary);
/// Removes the temporary files of `name` that nobody holds.
void removeStaleTemporaries(int folder, const std::string& name);

}  // namespace ember::io
