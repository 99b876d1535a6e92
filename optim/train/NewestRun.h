#pragma once
#include <optional>
#include <string>

#include <ember/core/DType.h>

namespace ember::optim {

/// The generation of a saved run to go on from.
struct FoundRun {
  std::string path;
  i64 step = 0;
  std::string why;  ///< for the user: which file was taken, which was not and for what reason
};

/// Of `path` and its previous generation, `path`.prev, the newest that is whole: the one with more optimiser steps, or
/// `path` where they are no generations of one run (another net, seed, schedule, optimiser or data). Times of files
/// play no part. Both are read in full. A symbolic link is followed, as saves do.
///
/// Nothing if neither is there. Throws IoError with the reason of each if none that is there can be used. In both cases
/// whole runs that lie there under the temporary names of saves that were killed are told, in the error or by a warning;
/// they are never gone on from by themselves (who began anew may have removed the rest), and the next save removes them.
std::optional<FoundRun> newestRun(const std::string& path);

/// Whether both files hold whole runs that are one run at two times, as far as the files tell: net, seed, schedule,
/// optimiser and data agree.
bool sameRun(const std::string& a, const std::string& b);

}  // namespace ember::optim
