#pragma once
#include <ember/autograd/Tensor.h>

namespace ember {

/// What becomes of the losses of the samples (or elements).
enum class Reduction : u8 { None, Mean, Sum };

struct LossOptions {
  Reduction reduction = Reduction::Mean;
};

}  // namespace ember
