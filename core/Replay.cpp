#include <ember/core/Replay.h>

#include <ember/core/Error.h>

namespace ember::core {
namespace {

thread_local detail::ReplayFrame* innermost = nullptr;

void write(detail::ReplayFrame* frame, const random::Key& key) {
  for (; frame && !frame->replay; frame = frame->outer) frame->record->push_back(key);
}

}  // namespace

RecordScope::RecordScope(Draws& draws) noexcept : frame_{.record = &draws, .outer = innermost} { innermost = &frame_; }
RecordScope::~RecordScope() { innermost = frame_.outer; }

ReplayScope::ReplayScope(const Draws& draws, bool again) noexcept
    : frame_{.replay = &draws, .again = again, .outer = innermost} {
  innermost = &frame_;
}
ReplayScope::~ReplayScope() { innermost = frame_.outer; }

bool replaying() noexcept {
  for (const auto* frame = innermost; frame; frame = frame->outer) {
    if (frame->replay) return true;
  }
  return false;
}

bool replayedBefore() noexcept {
  for (const auto* frame = innermost; frame; frame = frame->outer) {
    if (frame->replay && frame->again) return true;
  }
  return false;
}

random::Key nextKey(random::Key (*draw)()) {
  detail::ReplayFrame* replay = innermost;
  while (replay && !replay->replay) replay = replay->outer;
  random::Key key;
  if (!replay) {
    key = draw();
  } else {
    if (replay->next == replay->replay->size()) {
      throw StateError("checkpoint", "the second run draws more random numbers than the first", {},
                       "do not change the net between forward and backward (train(), eval())");
    }
    key = (*replay->replay)[replay->next++];
  }
  write(innermost, key);
  return key;
}

}  // namespace ember::core
