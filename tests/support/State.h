#pragma once
#include <string>

#include <ember/nn/Module.h>

/// Whole states of modules, for tests.
namespace ember::test {

/// Parameters, then buffers, by dotted name.
nn::Parameters stateOf(const nn::Module& module);
/// What differs first: number, a name, a bit, whether it trains, its settings; empty if the two are alike.
std::string stateDifference(const nn::Module& a, const nn::Module& b);

}  // namespace ember::test
