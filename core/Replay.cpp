#include <ember/core/Replay.h>

#include <ember/core/Error.h>

namespace ember::core {
namespace {

// One scope of either kind; they form a stack.
struct Frame {
  Draws* record = nullptr;
  const Draws* replay = nullptr;
  std::size_t next = 0;
  bool again = false;
};

std::vector<Frame>& frames() {
  thread_local std::vector<Frame> stack;
  return stack;
}

}  // namespace

RecordScope::RecordScope(Draws& draws) noexcept { frames().push_back({.record = &draws}); }
RecordScope::~RecordScope() { frames().pop_back(); }

ReplayScope::ReplayScope(const Draws& draws, bool again) noexcept {
  frames().push_back({.replay = &draws, .again = again});
}
ReplayScope::~ReplayScope() { frames().pop_back(); }
bool ReplayScope::complete() const noexcept { return frames().back().next == frames().back().replay->size(); }

bool replaying() noexcept {
  for (const Frame& frame : frames()) {
    if (frame.replay) return true;
  }
  return false;
}

bool replayedBefore() noexcept {
  for (const Frame& frame : frames()) {
    if (frame.replay && frame.again) return true;
  }
  return false;
}

random::Key nextKey(random::Key (*draw)()) {
  std::vector<Frame>& stack = frames();
  std::size_t inner = stack.size();  // the frames behind the innermost replay
  while (inner > 0 && !stack[inner - 1].replay) --inner;
  random::Key key;
  if (inner == 0) {
    key = draw();
  } else {
    Frame& frame = stack[inner - 1];
    if (frame.next == frame.replay->size()) {
      throw StateError("checkpoint", "the second run draws more random numbers than the first", {},
                       "do not change the net between forward and backward (train(), eval())");
    }
    key = (*frame.replay)[frame.next++];
  }
  for (; inner < stack.size(); ++inner) stack[inner].record->push_back(key);
  return key;
}

}  // namespace ember::core
