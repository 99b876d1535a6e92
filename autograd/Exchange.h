#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ember/autograd/Tensor.h>

namespace ember::autograd {

/// While it lives, tensors that are no results of ops hold other arrays; then they have their own again, with version,
/// gradient and graph as they were. One thread alone may use the tensors meanwhile.
class Exchange {
 public:
  Exchange() = default;
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  void lend(const Tensor& tensor, core::NDArray array);

 private:
  struct Own {
    std::shared_ptr<TensorImpl> impl;
    core::NDArray array;
    u64 version;
  };
  std::vector<Own> own_;
};

/// Why copy_ would refuse to write into a tensor under NoGrad ("is the result of mul"); empty if it would not.
std::string writeObstacle(const Tensor& tensor);

}  // namespace ember::autograd
