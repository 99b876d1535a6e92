#pragma once
#include <string>
#include <vector>

#include <ember/core/io/Checkpoint.h>

/// What was looked at in a checkpoint, and what only the program that loads it can tell.
struct Verified {
  std::vector<std::string> checked, unchecked;
};

/// Checks all that a load checks and that needs no program of the user's: what is said of frozen and shared tensors;
/// the net, if it is made of library layers, with its tensors and its self-test; the fields of a run, and its slots and
/// averages against that net. Throws IoError, StateError or ValueError for what a load would refuse.
Verified verified(const std::string& file, const ember::io::Checkpoint& checkpoint);
