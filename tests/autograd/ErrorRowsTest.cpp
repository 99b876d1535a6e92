// The catalogue of wrong calls of tensors and ops, T1 to T36, row by row with the words of each refusal. Rows that are
// behaviour rather than a refusal have their tests elsewhere, with their numbers in the names:
//   T14 ConvTest, MatMulTest, BatchNormPoliciesTest   T17, T19, T20, T22 TrainerTest   T18 BatchNormPoliciesTest
//   T21 core BatchNormTest   T33, T35 BackwardTest
#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <ember/autograd/Function.h>
#include <ember/autograd/ops/Ops.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

struct Refusal {
  const char* row;
  std::function<void()> call;
  const char* headline;
};

void checkAll(const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    CAPTURE(std::string(refusal.row));
    CHECK(headlineOf(refusal.call) == std::string(refusal.headline));
  }
}

Tensor ones(const Shape& shape, DType dtype = DType::F32) { return Tensor::ones(shape, dtype); }
Tensor leaf(const Shape& shape) { return Tensor::ones(shape, DType::F64).setRequiresGrad(); }
constexpr i64 large = i64{1} << 40;

}  // namespace

TEST_CASE("shapes and types that do not fit are refused in these words (T1 to T3, T10 to T13, T29, T31, T36)") {
  checkAll({
      {"T1", [] { ones({2, 3}) + ones({2, 4}); },
       "[add] ShapeError: cannot broadcast [2, 3] with [2, 4]: sizes 3 and 4 differ at axis 1"},
      {"T2", [] { matmul(ones({2, 3}), ones({4, 5})); },
       "[matmul] ShapeError: shapes cannot be multiplied (2x3 and 4x5)"},
      {"T3", [] { mul(ones({2}), ones({2}, DType::F64)); }, "[mul] DtypeError: a is f32 and b is f64"},
      {"T3", [] { matmul(ones({2, 2}), ones({2, 2}, DType::F64)); }, "[matmul] DtypeError: a is f32 and b is f64"},
      {"T3", [] { concat({ones({2}), ones({2}, DType::I64)}, 0); }, "[concat] DtypeError: part 1 is i64, part 0 f32"},
      {"T10", [] { Tensor::zeros({-1, 3}); }, "[shape] ShapeError: negative size -1 in [-1, 3]"},
      {"T11", [] { Tensor::zeros({large, large}); },
       "[shape] ShapeError: the number of elements of [1099511627776, 1099511627776] overflows 63 bits"},
      {"T12", [] { Tensor::empty({large, 32}); }, "[allocate] OutOfMemory: no memory for 140737488355328 bytes"},
      {"T13", [] { reshape(ones({6}), {4, 2}); }, "[reshape] ShapeError: [6] has 6 elements, [4, 2] cannot hold them"},
      {"T13", [] { reshape(ones({6}), {-1, -1}); }, "[reshape] ShapeError: more than one size is -1 in [-1, -1]"},
      {"T13", [] { reshape(ones({0, 3}), {-1, 0}); },
       "[reshape] ShapeError: the size -1 in [-1, 0] cannot be told from 0 elements"},
      {"T29", [] { ones({3}).item(); }, "[item] ShapeError: the array has 3 elements, not one"},
      {"T29", [] { ones({3}).select(0, 5); }, "[select] ShapeError: index 5 is outside size 3 of axis 0"},
      {"T29", [] { softmax(ones({2, 2}), 2); }, "[softmax] ShapeError: axis 2 is outside rank 2"},
      {"T31", [] { mse(ones({2, 1}), ones({2})); }, "[mse] ShapeError: x is [2, 1], target is [2]"},
      {"T36", [] { ones({2}) + Tensor(); }, "[add] StateError: operand 1 is an undefined tensor"},
      {"T36", [] { matmul(Tensor(), ones({2, 2})); }, "[matmul] StateError: operand 0 is an undefined tensor"},
      {"T36", [] { Tensor().item(); }, "[item] StateError: the tensor is undefined"},
  });
}

TEST_CASE("convolutions and pools refuse what does not fit in these words (T4 to T9)") {
  const Tensor x = ones({1, 3, 8, 8}), w = ones({4, 3, 3, 3});
  checkAll({
      {"T4", [&] { conv2d(x, ones({4, 5, 3, 3})); }, "[conv2d] ShapeError: input has 3 channels, filters expect 5"},
      {"T5", [&] { conv2d(x, w, {}, {.groups = 2}); },
       "[conv2d] ValueError: groups = 2 does not divide the 3 input channels"},
      {"T5", [&] { conv2d(x, w, {}, {.groups = 0}); }, "[conv2d] ValueError: groups is 0, must be at least 1"},
      {"T6", [&] { conv2d(ones({1, 3, 2, 8}), w); },
       "[conv2d] ShapeError: kernel 3x3 is larger than the padded input 2x8"},
      {"T7", [&] { conv2d(x, w, {}, {.stride = 0}); }, "[conv2d] ValueError: stride is 0, must be at least 1"},
      {"T7", [&] { conv2d(x, w, {}, {.stride = -2}); }, "[conv2d] ValueError: stride is -2, must be at least 1"},
      {"T7", [&] { conv2d(x, w, {}, {.padding = -1}); }, "[conv2d] ValueError: padding is -1, must be at least 0"},
      {"T7", [&] { conv2d(x, w, {}, {.dilation = 0}); }, "[conv2d] ValueError: dilation is 0, must be at least 1"},
      {"T8", [&] { maxPool2d(x, {.kernel = 2, .padding = 2}); },
       "[maxPool2d] ValueError: padding 2 is more than half of kernel size 2"},
      {"T8", [&] { avgPool2d(x, {.kernel = 0}); }, "[avgPool2d] ValueError: kernel size is 0, must be at least 1"},
      {"T8", [&] { maxPool2d(ones({1, 1, 2, 6}), {.kernel = 3}); },
       "[maxPool2d] ShapeError: kernel 3x3 is larger than the padded input 2x6"},
      {"T9", [&] { conv2d(ones({8}), w); }, "[conv2d] ShapeError: input has rank 1, expected [N, C, H, W]"},
      {"T9", [&] { conv2d(ones({1, 3, 8, 8, 8}), w); }, "[conv2d] ShapeError: input has rank 5, expected [N, C, H, W]"},
  });
}

TEST_CASE("losses refuse what does not fit in these words (T15, T30)") {
  const Tensor logits = ones({2, 3});
  const auto labels = [](std::initializer_list<double> values) { return Tensor::of(values, DType::I64); };
  checkAll({
      {"T15", [&] { crossEntropy(ones({0, 3}), Tensor::zeros({0}, DType::I64)); },
       "[crossEntropy] ValueError: mean over 0 samples"},
      {"T15", [&] { mse(ones({0}), ones({0})); }, "[mse] ValueError: mean over 0 samples"},
      {"T15", [&] { mean(ones({0})); }, "[mean] ValueError: a mean over 0 elements"},
      {"T30", [&] { crossEntropy(logits, labels({0, 3})); },
       "[crossEntropy] ValueError: label 3 of sample 1 is outside [0, 3)"},
      {"T30", [&] { crossEntropy(logits, labels({-1, 0})); },
       "[crossEntropy] ValueError: label -1 of sample 0 is outside [0, 3)"},
      {"T30", [&] { crossEntropy(logits, ones({2})); }, "[crossEntropy] DtypeError: labels are f32, expected i64"},
      {"T30", [&] { crossEntropy(logits, labels({0, 1, 2})); },
       "[crossEntropy] ShapeError: labels are [3], logits [2, 3] need labels [2]"},
  });
}

TEST_CASE("batch norm refuses one value a channel, and infinite data where those are watched for (T16, T19)") {
  const Tensor x = Tensor::full({4, 2}, 1e30) * 1e30;
  checkAll({
      {"T16", [] { batchNorm(ones({1, 3})); },
       "[batchNorm] ValueError: expected more than 1 value per channel when training, got [1, 3]"},
      {"T16", [] { batchNorm(ones({1, 3, 1, 1})); },
       "[batchNorm] ValueError: expected more than 1 value per channel when training, got [1, 3, 1, 1]"},
      {"T19",
       [&] {
         AnomalyMode watching;
         batchNorm(x);
       },
       "[batchNorm] NumericError: the input has NaN or infinity"},
  });
}

TEST_CASE("the graph refuses what has no gradient in these words (T23 to T28, T32)") {
  Tensor once = leaf({2});
  const Tensor wrong = leaf({2});
  const Tensor used = (once * once).sum();
  used.backward();
  const auto custom = [&](const Tensor& gradient) {
    return ember::custom(
        "mine", {wrong}, [](FunctionContext&, const Tensors& in) { return Tensors{in[0] * 2}; },
        [=](const FunctionContext&, const Tensors&) { return Tensors{gradient}; });
  };
  checkAll({
      {"T23", [&] { batchNorm(leaf({4, 2}), {}, {}, {}, {}, {.inplace = true}); },
       "[batchNorm] StateError: inplace cannot overwrite its input: it is a leaf, not the result of an operation"},
      {"T23", [&] { once.mul_(2); },
       "[mul_] StateError: a leaf that requires a gradient is written in place while gradients are recorded"},
      {"T24",
       [] {
         Tensor x = leaf({2});
         const Tensor y = (x * x).sum();
         const NoGrad off;
         x.mul_(2);
         y.backward();
       },
       "[mul] StateError: an operand that its gradient needs was overwritten by mul_"},
      {"T25", [&] { used.backward(); },
       "[backward] StateError: the graph was already freed: sum has no saved values left"},
      {"T26", [&] { (once * 2).backward(); },
       "[backward] ShapeError: a gradient is implied for a scalar only, this tensor is [2]"},
      {"T27", [] { ones({2}).sum().backward(); },
       "[backward] StateError: the tensor depends on nothing that requires a gradient"},
      {"T28", [] { ones({2}, DType::I64).setRequiresGrad(); },
       "[setRequiresGrad] DtypeError: the tensor is i64, expected f32 or f64"},
      {"T32", [&] { custom(ones({3}, DType::F64)).sum().backward(); },
       "[mine] ShapeError: the gradient of input 0 is [3], expected [2]"},
      {"T32", [&] { custom(ones({2})).sum().backward(); },
       "[mine] DtypeError: the gradient of input 0 is f32, expected f64"},
  });
}

TEST_CASE("what memory does not hold leaves everything as it was (T12)") {
  Tensor x = ones({2});
  const std::string message = messageOf([&] { x = Tensor::empty({large, 32}); });
  CHECK(message.find("[1099511627776, 32] f32") != std::string::npos);
  const std::string padded = messageOf([&] { x = pad(x, {large * 32}, {0}); });
  CHECK(padded.find("[allocate] OutOfMemory: no memory for 140737488355336 bytes") == 0);
  CHECK(padded.find("by      pad") != std::string::npos);
  CHECK_THROWS_AS(x = pad(x, {large * 32}, {0}), OutOfMemory);
  CHECK(x.toVector<float>() == std::vector<float>{1, 1});
}

TEST_CASE("memory that a gradient does not get is told with the op whose backward asked for it (T12)") {
  const Tensor rows = expand(leaf({1, 2}), {large, 2});  // a view; its gradient would be none
  const std::string message = messageOf([&] { rows.select(0, 0).sum().backward(); });
  CHECK_MESSAGE(message.find(" in backward of select\n") != std::string::npos, message);
}

TEST_CASE("a view keeps the memory of a tensor that is gone (T34)") {
  Tensor view;
  {
    Tensor base = Tensor::arange(0, 6);
    view = base.reshape({2, 3}).select(0, 1);
    base = ones({1000});  // the old value has no other name
  }
  CHECK(view.toVector<float>() == std::vector<float>{3, 4, 5});
}
