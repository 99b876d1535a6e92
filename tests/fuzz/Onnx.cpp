// The first byte chooses: a tensor (bit 0) or a model.
#include <ember/core/Error.h>

#include "conformance/Onnx.h"
#include "fuzz/Targets.h"

namespace ember::fuzz {

void Onnx(std::string_view bytes) {
  if (bytes.empty()) return;
  try {
    if (bytes[0] & 1) {
      const Tensor tensor = test::onnx::parseTensor(bytes.substr(1), "bytes");
      require(static_cast<u64>(tensor.numel()) < 8 * bytes.size(), "a tensor has no more elements than its file has bits");
    } else {
      const test::onnx::Model model = test::onnx::parseModel(bytes.substr(1), "bytes");
      for (const test::onnx::Port& port : model.inputs)
        require(!model.constants.contains(port.name), "initializers are no inputs");
    }
  } catch (const Error&) {
  } catch (const test::onnx::Unsupported&) {
  }
}

}  // namespace ember::fuzz
