#pragma once
#include <string>
#include <vector>

#include <ember/ember.h>

/// A grey picture [H, W] of bytes as text: with colour, two pixels a character (half blocks in terminal greys);
/// without, one character for each two rows, dark to bright.
std::string drawPicture(const ember::Tensor& bytes, bool colour);

/// The `count` likeliest classes with their probabilities and bars, one line each.
std::string drawChances(const std::vector<float>& probabilities, const std::vector<std::string>& classNames,
                        std::size_t count);
