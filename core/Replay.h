#pragma once
#include <cstddef>
#include <vector>

#include <ember/core/Random.h>

/// A stretch of program that runs a second time for the same numbers (autograd/Checkpointing.h): its random draws are
/// those of the first time, and what a forward counts or averages beside its result stays as it is.
namespace ember::core {

using Draws = std::vector<random::Key>;

namespace detail {
/// A scope of either kind; they form a stack of a thread.
struct ReplayFrame {
  Draws* record = nullptr;
  const Draws* replay = nullptr;
  bool again = false;
  std::size_t next = 0;
  ReplayFrame* outer = nullptr;
};
}  // namespace detail

/// While it lives, this thread's draws outside a replay are written down, too. Nests.
class RecordScope {
 public:
  explicit RecordScope(Draws& draws) noexcept;
  ~RecordScope();
  RecordScope(const RecordScope&) = delete;
  RecordScope& operator=(const RecordScope&) = delete;

 private:
  detail::ReplayFrame frame_;
};

/// While it lives, this thread draws what was written down; no counter moves. `again`: not for the first time.
class ReplayScope {
 public:
  ReplayScope(const Draws& draws, bool again) noexcept;
  ~ReplayScope();
  ReplayScope(const ReplayScope&) = delete;
  ReplayScope& operator=(const ReplayScope&) = delete;
  /// Whether all of them were drawn.
  bool complete() const noexcept { return frame_.next == frame_.replay->size(); }

 private:
  detail::ReplayFrame frame_;
};

/// Whether this thread runs something again: a forward must leave running statistics alone.
bool replaying() noexcept;
/// Whether it does so for the second time at least: a backward must, too.
bool replayedBefore() noexcept;

/// The next key by `draw`, or the one that a replay has; written down where that is asked for. Throws StateError if a
/// replay draws more than the first time.
random::Key nextKey(random::Key (*draw)());

}  // namespace ember::core
