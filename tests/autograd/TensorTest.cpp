#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include <doctest/doctest.h>
#include <ember/autograd/Tensor.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/autograd/ops/Comparison.h>
#include <ember/autograd/ops/Reduction.h>
#include <ember/autograd/ops/Shape.h>
#include <ember/autograd/ops/Softmax.h>
#include <ember/core/Random.h>
#include <ember/core/Scope.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

using Values = std::vector<double>;

TEST_CASE("tensors are made of values, of numbers and of the user's memory") {
  CHECK(Tensor::zeros({2, 2}).toVector<double>() == Values{0, 0, 0, 0});
  CHECK(Tensor::full({2}, 1.5, DType::F64).toVector<double>() == Values{1.5, 1.5});
  CHECK(Tensor::ones({2}, DType::I64).toVector<i64>() == std::vector<i64>{1, 1});
  CHECK(Tensor::arange(2, 8, 3).toVector<double>() == Values{2, 5});
  CHECK(Tensor::arange(1, -1, -0.5, DType::F64).toVector<double>() == Values{1, 0.5, 0, -0.5});
  CHECK(Tensor::arange(3, 3).numel() == 0);
  CHECK(Tensor::scalar(4).rank() == 0);
  CHECK(Tensor::of({1, 2}, DType::I32).dtype() == DType::I32);
  CHECK(Tensor::of<float>({1, 2, 3, 4, 5, 6}, {2, 3}).size(-1) == 3);
  CHECK(headlineOf<ValueError>([] { Tensor::arange(0, 1, 0); }) ==
        "[arange] ValueError: start, stop and step must be finite and step not 0");
}

TEST_CASE("fromBlob reads and writes the user's memory and gives it back once") {
  float memory[4] = {1, 2, 3, 4};
  int deleted = 0;
  {
    Tensor x = Tensor::fromBlob(memory, {2, 2}, [&](void*) { ++deleted; });
    const Tensor view = x.transpose(0, 1);
    CHECK(view.toVector<double>() == Values{1, 3, 2, 4});
    x.fill_(7);
    CHECK(memory[3] == 7);
    x = {};
    CHECK(deleted == 0);  // the view still needs it
  }
  CHECK(deleted == 1);
}

TEST_CASE("random tensors are a function of the seed and of how many were drawn") {
  seed(5);
  const Tensor a = Tensor::normal({100}, 2, 0.5), b = Tensor::normal({100}, 2, 0.5);
  seed(5);
  CHECK(Tensor::normal({100}, 2, 0.5).toVector<float>() == a.toVector<float>());
  CHECK(b.toVector<float>() != a.toVector<float>());
  CHECK(mean(a).item() == doctest::Approx(2).epsilon(0.1));  // four standard errors
  const Tensor u = Tensor::uniform({1000}, -1, 3, DType::F64);
  CHECK(amin(u).item() >= -1);
  CHECK(amax(u).item() < 3);
  CHECK_THROWS_AS(Tensor::uniform({2}, 0, 1, DType::I64), DtypeError);
}

TEST_CASE("an undefined tensor says so in every question and every op") {
  const Tensor none;
  CHECK_FALSE(none.defined());
  CHECK(headlineOf<StateError>([&] { none.shape(); }) == "[shape] StateError: the tensor is undefined");
  CHECK(headlineOf<StateError>([&] { none.requiresGrad(); }) == "[requiresGrad] StateError: the tensor is undefined");
  CHECK(headlineOf<StateError>([&] { none.detach(); }) == "[detach] StateError: the tensor is undefined");
  CHECK(headlineOf<StateError>([&] { Tensor::ones({2}) + none; }) ==
        "[add] StateError: operand 1 is an undefined tensor");
  CHECK(headlineOf<StateError>([&] { none.item(); }) == "[item] StateError: the tensor is undefined");
  CHECK(headlineOf<StateError>([&] { none.toVector<float>(); }) == "[toVector] StateError: the tensor is undefined");
  CHECK(headlineOf<StateError>([&] { none + 1; }) == "[add] StateError: the operand is an undefined tensor");
  CHECK(headlineOf<StateError>([&] { 2 * none; }) == "[mul] StateError: the operand is an undefined tensor");
  CHECK(headlineOf<StateError>([&] { (void)(none < 0.5); }) == "[less] StateError: the operand is an undefined tensor");
}

TEST_CASE("a C++ number takes the type of the tensor, if that can hold it") {
  const Tensor bytes = Tensor::of({1, 2}, DType::I8), whole = Tensor::of({1, 2}, DType::I64);
  CHECK((bytes + 100).toVector<i64>() == std::vector<i64>{101, 102});
  CHECK((3.0 * bytes).toVector<i64>() == std::vector<i64>{3, 6});
  const std::string message = messageOf([&] { bytes + 300; });
  CHECK(message.find("[add] ValueError: 300 does not fit i8") == 0);
  CHECK(message.find("it holds whole numbers from -128 to 127") != std::string::npos);
  CHECK(message.find("help") != std::string::npos);
  CHECK(headlineOf<ValueError>([&] { whole * 0.5; }) == "[mul] ValueError: 0.5 does not fit i64");
  CHECK(headlineOf<ValueError>([&] { -1 - Tensor::of({1}, DType::U8); }) == "[sub] ValueError: -1 does not fit u8");
  CHECK(headlineOf<ValueError>([&] { whole / std::nan(""); }) == "[div] ValueError: nan does not fit i64");
  CHECK(headlineOf<ValueError>([&] { (void)(bytes < 128); }) == "[less] ValueError: 128 does not fit i8");
  CHECK(headlineOf<ValueError>([&] { Tensor::of({1}) * 1e39; }) == "[mul] ValueError: 1e+39 does not fit f32");
  CHECK(headlineOf<ValueError>([&] { whole + ~u64{0}; }) == "[add] ValueError: 18446744073709551616 does not fit i64");
  CHECK(std::isinf((Tensor::of({1}) * std::numeric_limits<double>::infinity()).item()));
  CHECK((Tensor::of({1}) * 0.1).dtype() == DType::F32);  // rounding is no loss of the kind that counts
  // Beyond 2^53, where a double has gaps.
  const i64 large = (i64{1} << 53) + 1;
  CHECK((Tensor::zeros({1}, DType::I64) + large).toVector<i64>() == std::vector<i64>{large});
}

TEST_CASE("making and filling take numbers that the type can hold only") {
  CHECK(headlineOf<ValueError>([] { Tensor::full({2}, 300, DType::U8); }) == "[full] ValueError: 300 does not fit u8");
  CHECK(headlineOf<ValueError>([] { Tensor::full({2}, 2, DType::Bool); }) == "[full] ValueError: 2 does not fit bool");
  CHECK(headlineOf<ValueError>([] { Tensor::scalar(2.5, DType::I32); }) == "[scalar] ValueError: 2.5 does not fit i32");
  CHECK(headlineOf<ValueError>([] { Tensor::of({1, -1}, DType::U8); }) == "[of] ValueError: -1 does not fit u8");
  CHECK(headlineOf<ValueError>([] { Tensor::arange(0, 300, 1, DType::I8); }) ==
        "[arange] ValueError: 299 does not fit i8");
  CHECK(headlineOf<ValueError>([] { Tensor::ones({2}, DType::I8).fill_(1e9); }) ==
        "[fill_] ValueError: 1e+09 does not fit i8");
  CHECK(headlineOf<ValueError>([] { Tensor::ones({2}, DType::I64).mul_(0.5); }) ==
        "[mul_] ValueError: 0.5 does not fit i64");
  CHECK(headlineOf<ValueError>([] { pad(Tensor::ones({2}, DType::I8), {1}, {1}, 200); }) ==
        "[pad] ValueError: 200 does not fit i8");
  CHECK(headlineOf<ValueError>([] { Tensor::full({1}, 3.4e38, DType::BF16); }) ==
        "[full] ValueError: 3.4e+38 does not fit bf16");
  CHECK(Tensor::full({1}, -128, DType::I8).item() == -128);
  CHECK(Tensor::full({1}, 1, DType::Bool).item() == 1);
}

TEST_CASE("a tensor of another type converts as a whole: what does not fit goes to the nearest that does") {
  CHECK(Tensor::of({300, -300, 5}, DType::I64).to(DType::I8).toVector<i64>() == std::vector<i64>{127, -128, 5});
  CHECK(Tensor::of({300.7, -300.7, -5.5}).to(DType::I8).toVector<i64>() == std::vector<i64>{127, -128, -5});
  CHECK(Tensor::of({-1, 256}, DType::I32).toVector<u8>() == std::vector<u8>{0, 255});
}

TEST_CASE("questions that a tensor cannot answer are errors") {
  const Tensor x = Tensor::of({1, 2, 3});
  CHECK(headlineOf<ShapeError>([&] { x.item(); }) == "[item] ShapeError: the array has 3 elements, not one");
  CHECK_THROWS_AS(x.select(0, 5), ShapeError);
  CHECK_THROWS_AS(softmax(x, 1), ShapeError);
  CHECK_THROWS_AS(x.size(1), ShapeError);
  CHECK_THROWS_AS(Tensor::zeros({-1, 3}), ShapeError);
  CHECK_THROWS_AS(Tensor::zeros({i64{1} << 40, i64{1} << 40}), ShapeError);
}

TEST_CASE("only floating leaves can require a gradient") {
  CHECK(headlineOf<DtypeError>([] { Tensor::ones({2}, DType::I64).setRequiresGrad(); }) ==
        "[setRequiresGrad] DtypeError: the tensor is i64, expected f32 or f64");
  const Tensor x = Tensor::ones({2}).setRequiresGrad();
  Tensor y = x * 2;
  CHECK(headlineOf<StateError>([&] { y.setRequiresGrad(); }) ==
        "[setRequiresGrad] StateError: the tensor is the result of mul, not a leaf");
  CHECK(x.isLeaf());
  CHECK_FALSE(y.isLeaf());
  CHECK((x + 1).requiresGrad());
  CHECK_FALSE((x > 0.5).requiresGrad());
}

TEST_CASE("a copied handle is the same tensor, a clone is another") {
  Tensor x = Tensor::of({1, 2}, DType::F64).setRequiresGrad();
  const Tensor same = x, copy = x.clone();
  sum(x * x).backward();
  CHECK(same.grad().toVector<double>() == Values{2, 4});
  CHECK_FALSE(copy.grad().defined());
  CHECK_FALSE(copy.requiresGrad());
  const NoGrad off;
  x.fill_(9);
  CHECK(same.toVector<double>() == Values{9, 9});
  CHECK(copy.toVector<double>() == Values{1, 2});
}

TEST_CASE("a gradient can be set, and must fit") {
  Tensor x = Tensor::of({1, 2}).setRequiresGrad();
  x.setGrad(Tensor::of({3, 4}));
  sum(x).backward();
  CHECK(x.grad().toVector<double>() == Values{4, 5});
  CHECK(headlineOf<ShapeError>([&] { x.setGrad(Tensor::ones({3})); }) ==
        "[setGrad] ShapeError: the gradient is [3], the tensor [2]");
  CHECK(headlineOf<DtypeError>([&] { x.setGrad(Tensor::ones({2}, DType::F64)); }) ==
        "[setGrad] DtypeError: the gradient is f64, the tensor f32");
  x.setGrad({});
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("writing in place converts types in copy_ and demands equal shapes") {
  Tensor x = Tensor::zeros({2, 2});
  x.copy_(Tensor::of<double>({1, 2, 3, 4}, {2, 2}).transpose(0, 1));
  CHECK(x.toVector<double>() == Values{1, 3, 2, 4});
  x.mul_(0.5);
  x.add_(Tensor::ones({2, 2}));
  CHECK(x.toVector<double>() == Values{1.5, 2.5, 2, 3});
  CHECK(headlineOf<ShapeError>([&] { x.copy_(Tensor::ones({4})); }) ==
        "[copy_] ShapeError: cannot copy [4] into [2, 2]");
  CHECK(headlineOf<ShapeError>([&] { x.add_(Tensor::ones({2})); }) ==
        "[add_] ShapeError: cannot add [2] in place to [2, 2]");
  CHECK(headlineOf<DtypeError>([&] {
          x.add_(Tensor::ones({2, 2}, DType::F64));
        }) == "[add_] DtypeError: cannot add f64 in place to f32");
}

TEST_CASE("a slice with a step beyond every size has one element, and its gradient goes there") {
  constexpr i64 most = std::numeric_limits<i64>::max();
  for (const i64 stop : {i64{6}, most}) {
    const Tensor x = Tensor::arange(0, 6, 1, DType::F64).setRequiresGrad();
    const Tensor y = x.slice(0, 1, stop, most);
    CHECK(y.toVector<double>() == Values{1});
    sum(y * 3).backward();
    CHECK(x.grad().toVector<double>() == Values{0, 3, 0, 0, 0, 0});
  }
}

TEST_CASE("setArray changes type and shape behind every handle and drops the gradient") {
  Tensor x = Tensor::of({1, 2}).setRequiresGrad();
  const Tensor same = x;
  sum(x).backward();
  x.setArray(x.array().to(DType::F64));
  CHECK(same.dtype() == DType::F64);
  CHECK_FALSE(same.grad().defined());
  CHECK(same.requiresGrad());
}

TEST_CASE("shape-only tensors go through ops, keep no data and say so") {
  const Tensor x = Tensor::shapeOnly({2, 3}), w = Tensor::ones({3}).setRequiresGrad();
  const Tensor y = mean(x * w, {1});
  CHECK(y.isShapeOnly());
  CHECK((y.shape() == Shape{2}));
  CHECK_FALSE(y.requiresGrad());
  CHECK_THROWS_AS(x + Tensor::ones({4}), ShapeError);  // shapes are checked all the same
  CHECK(headlineOf<StateError>([&] { x.toVector<float>(); }) ==
        "[toVector] StateError: the tensor [2, 3] has a shape but no values");
  CHECK(messageOf([&] { sum(x).item(); }).find("summary()") != std::string::npos);
  CHECK_THROWS_AS(y.backward(), Error);
  Tensor z = Tensor::shapeOnly({2});
  CHECK(headlineOf<StateError>([&] { z.fill_(0); }) == "[fill_] StateError: the tensor [2] has a shape but no storage");
  CHECK(z.clone().isShapeOnly());
}
