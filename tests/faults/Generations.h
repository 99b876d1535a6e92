#pragma once
#include <string>

#include <ember/core/io/Checkpoint.h>

/// Checkpoints that say which they are, in every element: what the programs of this folder save and look for.
namespace ember::faults {

/// Number `generation`, about a megabyte of text.
io::Checkpoint makeGeneration(i64 generation);
void saveGeneration(const std::string& path, i64 generation, bool verify = false);
/// "3" if the file is generation 3, whole in every element; "none" if there is no file; otherwise "broken: " and why.
std::string generationIn(const std::string& path);
/// Names in a folder, sorted, joined by spaces.
std::string namesIn(const std::string& folder);

/// Kills saves of `folder`/run.json, before and after each of their system calls, and looks at what is left. Prints
/// what is wrong and how many it survived; returns an exit code, 77 where processes may not be traced.
int killSaves(const std::string& folder);

}  // namespace ember::faults
