#pragma once
#include <cstdio>
#include <cstdlib>
#include <string_view>

/// One function for each reader of bytes from outside: it hands them to the reader, which either refuses them with one
/// of ember's errors or gives back something whole. Anything else (another exception, a broken promise, a sanitizer's
/// report) ends the process. tests/fuzz/run searches for such bytes with libFuzzer; those that were found once stand in
/// found/NAME and are replayed by every run of the tests.
namespace ember::fuzz {

using Target = void (*)(std::string_view bytes);

// A file each, called as the function.
void Checkpoint(std::string_view bytes);  ///< io::readCheckpoint, and what it read written and read once more
void LoadNet(std::string_view bytes);     ///< nn::load, and the net saved and loaded once more
void Run(std::string_view bytes);         ///< optim::Trainer::resume
void Idx(std::string_view bytes);         ///< io::readIdx and io::readIdxPair, plain or gzip
void Json(std::string_view bytes);        ///< Value::parse, dump, conversions
void Onnx(std::string_view bytes);        ///< the conformance tests' reader of models and tensors

/// Of a program that searches: what it searches in.
extern const char* const targetName;

/// Ends the process with a word on what a reader broke.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "tests/fuzz: broken promise: %s\n", promise);
  std::abort();
}

}  // namespace ember::fuzz
