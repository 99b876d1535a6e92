#pragma once
#include <cstdlib>

namespace ember::test {

/// How often to do what a test does very often: `full`, or a tenth where EMBER_FEWER_REPEATS is set. tests/CMakeLists.txt
/// sets it in builds that watch memory or threads, which are 10 to 50 times as slow, and in no other.
inline int repeats(int full) { return std::getenv("EMBER_FEWER_REPEATS") ? full / 10 : full; }

}  // namespace ember::test
