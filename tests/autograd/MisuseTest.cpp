// Wrong calls that once crashed, passed silently or let a foreign exception out: each is an ember::Error now.
#include <doctest/doctest.h>

#include <ember/autograd/Function.h>
#include <ember/autograd/GradCheck.h>
#include <ember/autograd/ops/Ops.h>
#include <ember/core/Error.h>

using namespace ember;

TEST_CASE("writing from a shape-only tensor is an error, not a crash") {
  CHECK_THROWS_AS(Tensor::ones({3}).copy_(Tensor::shapeOnly({3})), StateError);
  CHECK_THROWS_AS(Tensor::ones({3}).add_(Tensor::shapeOnly({3})), StateError);
  CHECK_THROWS_AS(Tensor::ones({3}).setGrad(Tensor::shapeOnly({3})), StateError);
}

TEST_CASE("a saved operand that setArray replaced is an error, also at equal shape and version") {
  Tensor x = Tensor::ones({3}).setRequiresGrad();
  const Tensor y = (x * x).sum();
  x.setArray(core::NDArray::zeros({3}));
  CHECK_THROWS_AS(y.backward(), StateError);
}

TEST_CASE("a saved operand or output that was overwritten is an error that names both ops and both versions (T24)") {
  const auto message = [](const Tensor& loss) -> std::string {
    try {
      loss.backward();
    } catch (const StateError& error) {
      return error.what();
    }
    return "no error";
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != text.npos; };
  Tensor x = Tensor::ones({3}).setRequiresGrad();
  const Tensor byOperand = (x * x).sum();
  const Tensor y = exp(x);
  Tensor other = Tensor::ones({3});
  const Tensor byOutput = y.sum();
  const u64 xBefore = x.array().version(), yBefore = y.array().version();
  const auto versions = [](u64 saved, u64 now) {
    return "versions  " + std::to_string(saved) + " when it was saved, " + std::to_string(now) + " now";
  };
  {
    const NoGrad off;
    x.mul_(2);
    x.add_(other);
    y.detach().fill_(0);
  }
  std::string text = message(byOperand);
  CHECK_MESSAGE(has(text, "[mul] StateError: an operand that its gradient needs was overwritten by add_"), text);
  CHECK_MESSAGE(has(text, versions(xBefore, xBefore + 2).c_str()), text);
  text = message(byOutput);
  CHECK_MESSAGE(has(text, "[exp] StateError: the output that its gradient needs was overwritten by fill_"), text);
  CHECK_MESSAGE(has(text, versions(yBefore, yBefore + 1).c_str()), text);
  // A write before the operand is saved, or of another tensor, is none of its business.
  const Tensor again = (x * x).sum();
  other.mul_(2);
  CHECK(message(again) == "no error");
}

TEST_CASE("stack speaks of itself, not of the concat and unsqueeze in it") {
  const auto headline = [](const Tensors& parts, int axis) -> std::string {
    try {
      stack(parts, axis);
    } catch (const Error& error) {
      return error.headline();
    }
    return "";
  };
  CHECK(headline({}, 0) == "[stack] ValueError: nothing to join");
  CHECK(headline({Tensor::ones({2}), Tensor::ones({3})}, 0) == "[stack] ShapeError: part 1 is [3], part 0 [2]");
  CHECK(headline({Tensor::ones({2}), Tensor::ones({2}, DType::F64)}, 0) ==
        "[stack] DtypeError: part 1 is f64, part 0 f32");
  CHECK(headline({Tensor::ones({2})}, 5).find("[stack] ") == 0);
  CHECK(headline({Tensor()}, 0) == "[stack] StateError: operand 0 is an undefined tensor");
}

TEST_CASE("ranges that no memory holds are refused before they are made") {
  CHECK_THROWS_AS(Tensor::arange(0, 1e18), OutOfMemory);
  CHECK_THROWS_AS(Tensor::arange(0, 1e300), ValueError);
}

TEST_CASE("empty functions are refused where they are given") {
  Tensor x = Tensor::ones({2}, DType::F64).setRequiresGrad();
  CHECK_THROWS_AS(custom("empty", {x}, nullptr, nullptr), ValueError);
  const auto twice = [](FunctionContext&, const Tensors& in) { return Tensors{in[0] * 2}; };
  CHECK_THROWS_AS(custom("halfEmpty", {x}, twice, nullptr), ValueError);
  CHECK_THROWS_AS(x.registerHook(nullptr), ValueError);
  CHECK_THROWS_AS(gradcheck(std::function<Tensor(const Tensor&)>(), x), ValueError);
}

TEST_CASE("a custom backward that leaves out a wanted gradient is an error") {
  Tensor x = Tensor::ones({2}).setRequiresGrad();
  const Tensor y = custom(
      "forgetful", {x}, [](FunctionContext&, const Tensors& in) { return Tensors{in[0] * 2}; },
      [](const FunctionContext&, const Tensors&) { return Tensors{Tensor()}; });
  CHECK_THROWS_AS(y.sum().backward(), StateError);
}
