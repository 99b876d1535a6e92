#pragma once
#include <string>
#include <string_view>

#include <ember/ember.h>

/// Oscillations in noise, to be told apart by how they are modulated; 256 numbers each.
///
///   x[i] = a·(1 + m(t))·sin(2·pi·p(t)) + drift + hum + noise,   t = i/256
///
/// A class is a form of amplitude m or phase p; pitch, phase, strength, depth and speed of the modulation, drift, hum
/// and noise are drawn anew for each signal. So no position in the window means anything by itself: the mean signal of
/// every class is nearly zero everywhere, which leaves a linear model nothing, and two signals of one class are hardly
/// nearer to each other than to others.
constexpr ember::i64 signalLength = 256;

/// `count` signals [1, 256] with labels. Sample i is a function of (seed, part, i): "train" and "test" share none.
ember::data::TensorDataset makeSignals(ember::u64 seed, std::string_view part, ember::i64 count);

/// One signal as a curve of `rows` lines of braille, 64 characters wide.
std::string drawSignal(const float* signal, int rows);
