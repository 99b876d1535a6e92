#include <ember/autograd/Exchange.h>

#include <ember/autograd/Deferred.h>
#include <ember/autograd/Graph.h>

namespace ember::autograd {

void Exchange::lend(const Tensor& tensor, core::NDArray array) {
  settleWaiting();
  TensorImpl& impl = *tensor.impl();
  own_.push_back({tensor.impl(), impl.array, impl.version});
  impl.version = array.version();
  impl.array = std::move(array);
}

Exchange::~Exchange() {
  // The other way round: a tensor that was lent two arrays gets the first of its own back.
  for (auto own = own_.rbegin(); own != own_.rend(); ++own) {
    own->impl->array = std::move(own->array);
    own->impl->version = own->version;
  }
}

std::string writeObstacle(const Tensor& tensor) {
  const TensorImpl& impl = *tensor.impl();
  if (impl.node) return std::string("is the result of ") + impl.node->op;
  for (int i = 0; i < impl.array.rank(); ++i) {
    if (impl.array.strides()[i] == 0 && impl.array.size(i) > 1)
      return "is expanded: several of its elements are one place in memory";
  }
  return {};
}

}  // namespace ember::autograd
