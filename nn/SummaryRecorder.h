#pragma once
#include <string>
#include <vector>

#include <ember/autograd/Tensor.h>
#include <ember/nn/Summary.h>

namespace ember::nn {

class Module;

/// Watches the forwards of this thread while it lives, and makes a Summary of them.
class SummaryRecorder {
 public:
  explicit SummaryRecorder(const Tensors& inputs);
  ~SummaryRecorder();
  SummaryRecorder(const SummaryRecorder&) = delete;
  SummaryRecorder& operator=(const SummaryRecorder&) = delete;

  Summary finish(const Module& root);
  /// Whether one lives on this thread.
  static bool recording() noexcept;

  /// One module's forward; does nothing while no recorder lives.
  class Entry {
   public:
    explicit Entry(const Module& module);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    void finish(const Tensors& outputs);

   private:
    const Module& module_;
    bool watched_ = false;
    std::size_t row_ = 0;
    i64 before_ = 0;
  };

 private:
  Summary summary_;
  int depth_ = 0;
  SummaryRecorder* outer_;
  i64 outerCount_;
};

}  // namespace ember::nn
