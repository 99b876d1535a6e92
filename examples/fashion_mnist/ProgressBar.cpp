#include "ProgressBar.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "support/Console.h"

using namespace ember;

std::string durationText(double seconds) {
  const auto whole = static_cast<i64>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

ProgressBar::ProgressBar(i64 totalSteps, i64 epochs)
    : totalSteps_(totalSteps), epochs_(epochs), terminal_(::isatty(STDOUT_FILENO) == 1), lastShown_(Clock::now()) {}

void ProgressBar::beforeStep() { stepBegan_ = Clock::now(); }

void ProgressBar::afterStep(const optim::StepInfo& info) {
  const auto now = Clock::now();
  seconds_ += std::chrono::duration<double>(now - stepBegan_).count();
  images_ += info.samples;
  ++steps_;
  const bool last = info.batch + 1 == info.batches;
  const auto pause = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10'000);
  if (!last && now - lastShown_ < pause) return;
  lastShown_ = now;
  if (!terminal_) {
    console::print("{}\n", line(info, 0));
  } else {
    winsize window{};
    const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0;
    const int columns = known ? window.ws_col : 80;
    const int room = columns - 1 - static_cast<int>(line(info, 0).size());
    // A line longer than the terminal is wide would scroll instead of redrawing itself.
    const std::string text = line(info, std::clamp(room - 3, 0, 30)).substr(0, static_cast<std::size_t>(columns - 1));
    console::print("\r\x1b[K{}", text);
    shown_ = true;
  }
}

std::string ProgressBar::line(const optim::StepInfo& info, int barWidth) const {
  std::string bar;
  if (barWidth > 0) {
    const auto full = static_cast<std::size_t>((info.batch + 1) * barWidth / info.batches);
    bar = fmt::format("[{:{}}] ", std::string(full, '='), barWidth);
  }
  const double left =
      steps_ > 0 ? seconds_ / static_cast<double>(steps_) * static_cast<double>(totalSteps_ - info.step) : 0;
  return fmt::format("epoch {}/{} {}{:3} %  loss {:.3f}  accuracy {:5.2f} %  {:.0f} images/s  {} left", info.epoch + 1,
                     epochs_, bar, 100 * (info.batch + 1) / info.batches, info.meanLoss, 100 * info.accuracy,
                     imagesPerSecond(), durationText(left));
}

void ProgressBar::clear() {
  if (shown_) console::print("\r\x1b[K");
  shown_ = false;
}
