#pragma once
#include <string>
#include <vector>

#include <ember/core/io/Checkpoint.h>

/// What differs between two checkpoints, a line each; empty if nothing does. Numbers count as they are stored: every
/// bit of every tensor, and every field of the header, whatever the order.
std::vector<std::string> differences(const ember::io::Checkpoint& a, const ember::io::Checkpoint& b);
