#pragma once
#include <string>

#include <ember/core/io/Checkpoint.h>

/// What is in a checkpoint, for people: who wrote it, the net, where training stands, and a row for each tensor.
std::string description(const std::string& file, const ember::io::Checkpoint& checkpoint);

/// "1,234,567".
std::string grouped(ember::i64 number);
