#pragma once
#include <string>
#include <vector>

#include <ember/core/io/Descriptor.h>

/// The temporary files of saves: ".NAME.PROCESS.NANOSECONDS.COUNT.tmp" beside NAME. Whoever uses one holds a shared
/// flock on it, which the kernel takes from the dead; so one that can be locked exclusively belongs to nobody, whatever
/// became of the process numbers, and on whatever host.
namespace ember::io {

/// A name that no other save uses; a long `name` is cut in it.
std::string temporaryName(const std::string& name);
/// Makes a file of such a name in the open folder, opens it for writing and holds it. `temporary` is its name. On
/// failure nothing is there, and errno tells.
Descriptor makeTemporary(int folder, const std::string& name, std::string& temporary);
/// Holds the file `name` of the folder, as several may at once, so that what becomes a second name of it stays. Nothing
/// where it cannot be opened; waits for up to 1 s while somebody has it for himself alone.
Descriptor holdFile(int folder, const std::string& name);
/// The names of the temporary files of `name` in the folder, held or not.
std::vector<std::string> temporariesOf(int folder, const std::string& name);
/// Removes the temporary files of `name` that nobody holds.
void removeStaleTemporaries(int folder, const std::string& name);

}  // namespace ember::io
