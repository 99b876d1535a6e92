#pragma once
#include <string_view>
#include <vector>

#include <ember/autograd/Tensor.h>

namespace ember {

/// What stands around a padded array; of an axis a b c with two more on both sides:
///
///   Zeros 0 0 a b c 0 0    Reflect c b a b c b a    Replicate a a a b c c c    Circular b c a b c a b
enum class PadMode : u8 { Zeros, Reflect, Replicate, Circular };

/// "zeros", "reflect", "replicate", "circular": PyTorch's words.
std::string_view name(PadMode);
/// The mode of that name; throws ValueError that lists the names.
PadMode padMode(std::string_view name);

/// before[i] and after[i] elements around each axis, taken from x by `mode`; corners come from the axes one after another.
///
/// x of every type -> the sizes of x and their padding, in the memory order of x. Differentiable any number of times.
/// Throws ShapeError unless there is one size before and one after for each axis, if Reflect reaches the whole axis or
/// beyond, Circular beyond it, or Replicate pads an empty axis; ValueError on negative sizes (slice() cuts). Source:
/// semantics as torch.nn.functional.pad.
Tensor pad(const Tensor& x, const std::vector<i64>& before, const std::vector<i64>& after, PadMode mode);

}  // namespace ember
