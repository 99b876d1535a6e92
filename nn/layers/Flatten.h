#pragma once
#include <ember/nn/Module.h>

namespace ember::nn {

/// Joins axes first..last into one, in logical order: [N, C, H, W] -> [N, C·H·W] by default.
class Flatten : public Module {
 public:
  using Module::forward;
  explicit Flatten(int first = 1, int last = -1) : first_(first), last_(last) {}
  Tensor forward(const Tensor& x) override;
  Args args() const override { return {{"first", first_}, {"last", last_}}; }
  static Flatten fromArgs(const Args& a) { return Flatten(a.get<int>("first"), a.get<int>("last")); }

 private:
  int first_, last_;
};

}  // namespace ember::nn
