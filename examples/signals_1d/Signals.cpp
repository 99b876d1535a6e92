#include "Signals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "support/Draws.h"

using namespace ember;

namespace {

enum Class : i64 { Steady, Rising, Falling, Tremolo, Vibrato, StepUp, StepDown, Flips, ClassCount };
const std::vector<std::string> classNames{"steady",  "rising",  "falling",   "tremolo",
                                          "vibrato", "step up", "step down", "phase flips"};

/// sin(2·pi·turns) to 4e-6, by operations that give the same bits everywhere.
double wave(double turns) {
  double x = turns - std::floor(turns + 0.5);  // one turn: [-0.5, 0.5)
  if (x > 0.25) x = 0.5 - x;
  if (x < -0.25) x = -0.5 - x;
  const double t = 2 * std::numbers::pi * x, q = t * t;
  return t * (1 - q / 6 * (1 - q / 20 * (1 - q / 42 * (1 - q / 72))));
}

void fillSignal(float* signal, Class kind, Draws& draws) {
  // Pitch in turns a window, `change` of it over the window, modulation in turns a window.
  const double pitch = draws.uniform(14, 30), change = draws.uniform(6, 12), speed = draws.uniform(2, 5);
  const double phase = draws.uniform(0, 1), modulationPhase = draws.uniform(0, 1), depth = draws.uniform(0.5, 0.9);
  const double strength = draws.uniform(0.6, 1.8), noise = draws.uniform(0.3, 0.6);
  const double level = draws.uniform(-0.5, 0.5), slope = draws.uniform(-1, 1);
  const double humPitch = draws.uniform(14, 30), humPhase = draws.uniform(0, 1), hum = draws.uniform(0, 0.25);
  const double stepAt = draws.uniform(0.3, 0.7);
  std::array<double, 4> flips;
  for (std::size_t i = 0; i < flips.size(); ++i) flips[i] = (static_cast<double>(i) + draws.uniform(0.25, 0.95)) / 4;

  for (i64 i = 0; i < signalLength; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(signalLength);
    double amplitude = strength, turns = phase + pitch * t;
    switch (kind) {
      case Rising:
        turns += change * (t * t - t) / 2;
        break;  // pitch ± change/2
      case Falling:
        turns -= change * (t * t - t) / 2;
        break;
      case Tremolo:
        amplitude *= 1 + depth * wave(modulationPhase + speed * t);
        break;
      case Vibrato:
        turns += change / 2 / (2 * std::numbers::pi * speed) * wave(modulationPhase + speed * t);
        break;
      case StepUp:
        turns += change / 2 * std::abs(t - stepAt);
        break;
      case StepDown:
        turns -= change / 2 * std::abs(t - stepAt);
        break;
      case Flips:
        turns += 0.5 * static_cast<double>(std::count_if(flips.begin(), flips.end(), [t](double f) { return f < t; }));
        break;
      case Steady:
      case ClassCount:
        break;
    }
    signal[i] = static_cast<float>(amplitude * wave(turns) + level + slope * (t - 0.5) +
                                   hum * wave(humPhase + humPitch * t) + noise * draws.noise());
  }
}

}  // namespace

data::TensorDataset makeSignals(u64 seed, std::string_view part, i64 count) {
  const u64 stream = random::streamOf("signals_1d/" + std::string(part));
  std::vector<float> signals(static_cast<std::size_t>(count * signalLength));
  std::vector<i64> labels(static_cast<std::size_t>(count));
  for (i64 i = 0; i < count; ++i) {
    labels[static_cast<std::size_t>(i)] = i % ClassCount;
    Draws draws(seed, stream, i);
    fillSignal(&signals[static_cast<std::size_t>(i * signalLength)], static_cast<Class>(i % ClassCount), draws);
  }
  return {Tensor::of(signals, {count, 1, signalLength}), Tensor::of(labels), {.classNames = classNames}};
}

std::string drawSignal(const float* signal, int rows) {
  // A braille character has 2x4 dots; bit of each, from the top, in the left and the right column.
  static constexpr int dots[2][4] = {{0x01, 0x02, 0x04, 0x40}, {0x08, 0x10, 0x20, 0x80}};
  constexpr i64 columns = 64, step = signalLength / (2 * columns);
  const auto [low, high] = std::minmax_element(signal, signal + signalLength);
  const auto dotRow = [&, low = *low, high = *high](float x) {
    return static_cast<int>((high - x) / (high - low + 1e-6f) * static_cast<float>(4 * rows - 1) + 0.5f);
  };
  std::vector<int> cells(static_cast<std::size_t>(rows * columns));
  for (i64 column = 0; column < 2 * columns; ++column) {
    // From the last point of the column before, so that the curve has no gaps.
    const float* from = signal + std::max<i64>(0, column * step - 1);
    const auto [least, most] = std::minmax_element(from, signal + (column + 1) * step);
    for (int row = dotRow(*most); row <= dotRow(*least); ++row) {
      cells[static_cast<std::size_t>(row / 4 * columns + column / 2)] |= dots[column % 2][row % 4];
    }
  }
  std::string text;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const int code = 0x2800 + cells[i];  // in UTF-8
    text += {static_cast<char>(0xe2), static_cast<char>(0x80 | (code >> 6 & 0x3f)),
             static_cast<char>(0x80 | (code & 0x3f))};
    if ((i + 1) % columns == 0) text += '\n';
  }
  return text;
}
