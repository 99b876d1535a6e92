#include <doctest/doctest.h>

#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/Error.h>
#include <ember/core/Memory.h>
#include <ember/nn/layers/Layers.h>

#include "oom/Run.h"
#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("(P12) a tensor without memory is named by bytes and shape, and by the module that ran") {
  nn::Sequential net(nn::Linear(4, 1000));
  const Tensor x = Tensor::zeros({8, 4});
  (void)net(x);
  std::string found;
  for (i64 n = 1; n < 200 && found.empty(); ++n) {
    const Outcome outcome = failing(n, Refuse::Once, [&] { (void)net(x); });
    if (contains(outcome.message, "[8, 1000]")) found = outcome.message;
  }
  CAPTURE(found);
  CHECK(found.starts_with("[allocate] OutOfMemory: no memory for 32000 bytes\n"));
  CHECK(contains(found, "    array   [8, 1000] f32\n"));
  CHECK(contains(found, "    at      0 (Linear 4 -> 1000)\n"));
  CHECK(contains(found, "    help    use a smaller batch"));
}

TEST_CASE("(P12) the exception for a tensor needs no memory itself") {
  const Outcome outcome = failing(1, Refuse::AllAfter, [] { (void)Tensor::zeros({3, 5}); });
  CHECK(outcome.kind == "OutOfMemory");
  CHECK(outcome.message == "[allocate] OutOfMemory: no memory for 60 bytes");
  const OutOfMemory brief(60);
  const OutOfMemory copy(brief);
  CHECK(copy.headline() == outcome.message);
  CHECK(copy.op() == "allocate");
  const Outcome raw = failing(1, Refuse::AllAfter, [] { (void)memory::allocate(60); });
  CHECK(raw.message == outcome.message);
}

TEST_CASE("(P12) what operator new refuses to a tensor is the tensor's, too") {
  const Outcome handle = failing(2, Refuse::Once, [] { (void)core::NDArray::zeros({3, 5}); });
  CHECK(handle.kind == "OutOfMemory");
  CHECK(contains(handle.message, "[3, 5] f32"));
}
