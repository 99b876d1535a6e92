#pragma once
#include <string>
#include <vector>

#include <ember/core/Error.h>

namespace ember::nn {

/// All that is wrong between the tensors of a file and those of a program, collected before it is thrown: 20 of each
/// kind are listed, with the nearest name of the other side.
struct Misfits {
  std::vector<std::string> missing, unexpected;      ///< names
  std::vector<std::string> shapes, dtypes, sharing;  ///< sentences

  bool any() const noexcept { return !counts().empty(); }
  /// "2 missing in the file, 1 unexpected"; empty if nothing is wrong.
  std::string counts() const;
  Error::Details details(const std::vector<std::string>& inFile, const std::vector<std::string>& here) const;
};

/// "a, b, ... and 3 more": 20 names at most.
std::string listed(const std::vector<std::string>& names);

}  // namespace ember::nn
