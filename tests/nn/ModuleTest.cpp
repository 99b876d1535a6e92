#include <doctest/doctest.h>

#include <algorithm>

#include <ember/ember.h>

#include "nn/SmallNets.h"
#include "support/Draw.h"
#include "support/Headline.h"
#include "support/State.h"

using namespace ember;
using namespace ember::test;

namespace {

/// Nothing of its own: to try names on.
struct Holder : nn::Module {};

/// Two in, two out.
struct SumAndDifference : nn::Module {
  Tensors forward(const Tensors& inputs) override { return {inputs[0] + inputs[1], inputs[0] - inputs[1]}; }
};

/// A template: its printed name has :: inside the brackets.
template <class T>
struct Boxed : nn::Module {
  T& inner = add("inner", T());
  Tensor forward(const Tensor& x) override { return inner(x); }
};

std::vector<std::string> namesOf(const nn::Parameters& parameters) {
  std::vector<std::string> names;
  for (const nn::Parameter& p : parameters) names.push_back(p.name);
  return names;
}

}  // namespace

TEST_CASE("names, order and counts follow from the declarations") {
  nn::Sequential net(Scaled(2), nn::ReLU(), nn::Sequential(nn::Linear(4, 3)));
  CHECK(namesOf(net.namedParameters()) ==
        std::vector<std::string>{"0.scale", "0.conv.weight", "0.norm.weight", "0.norm.bias", "2.0.weight", "2.0.bias"});
  CHECK(namesOf(net.namedBuffers()) ==
        std::vector<std::string>{"0.seen", "0.norm.running_mean", "0.norm.running_var", "0.norm.num_batches_tracked"});
  CHECK(net.parameterCount() == 1 + 2 * 2 * 9 + 2 + 2 + 4 * 3 + 3);
  std::vector<std::string> paths;
  for (const auto& [path, module] : net.namedModules()) paths.push_back(path + "=" + module->typeName());
  CHECK(paths == std::vector<std::string>{"=Sequential", "0=Scaled", "0.conv=Conv2D", "0.norm=BatchNorm2D", "1=ReLU",
                                          "2=Sequential", "2.0=Linear"});
  CHECK(net.childCount() == 3);
  CHECK(net.child(1).name() == "1");
  CHECK(&net.child("0.conv") == &net.child(0).child(0));
}

TEST_CASE("a parameter is a handle on the one tensor that the module uses") {
  Scaled block(2);
  nn::Parameters parameters = block.namedParameters();
  CHECK(parameters[0].tensor.impl() == block.scale.impl());
  CHECK(parameters[1].tensor.impl() == block.conv.weight.impl());
  CHECK(block.scale.requiresGrad());
  CHECK(!block.seen.requiresGrad());
}

TEST_CASE("a child that is not there is an error naming the nearest") {
  nn::Sequential net(Scaled(2), nn::ReLU());
  const std::string message = messageOf([&] { net.child("0.comv"); });
  CHECK(contains(message, "[Sequential] ValueError: no child \"0.comv\""));
  CHECK(contains(message, "did you mean \"0.conv\"?"));
  CHECK(contains(messageOf([&] { net.child("2"); }), "known: \"0\", \"0.conv\""));
  CHECK(headlineOf<ValueError>([&] { net.child(""); }) == "[Sequential] ValueError: no child \"\"");
  CHECK_THROWS_AS(net.child(2), ValueError);
}

TEST_CASE("names that are taken, empty, dotted, too long or unprintable are refused (M1, M2)") {
  Holder holder;
  holder.addParameter("w", Tensor::ones({1}));
  holder.addBuffer("b", Tensor::ones({1}));
  holder.add("child", nn::ReLU());
  const auto refused = [&](const std::string& name, const std::string& shown, const std::string& why) {
    const std::string expected = "[Holder] ValueError: the name " + shown + " " + why;
    CHECK(headlineOf<ValueError>([&] { holder.addParameter(name, Tensor::ones({1})); }) == expected);
    CHECK(headlineOf<ValueError>([&] { holder.addBuffer(name, Tensor::ones({1})); }) == expected);
    CHECK(headlineOf<ValueError>([&] { holder.add(name, nn::ReLU()); }) == expected);
  };
  refused("", "\"\"", "is empty");
  refused("w", "\"w\"", "is already taken");
  refused("b", "\"b\"", "is already taken");
  refused("child", "\"child\"", "is already taken");
  refused("a.b", "\"a.b\"", "has a dot, which separates levels");
  refused(".", "\".\"", "has a dot, which separates levels");
  refused("a\tb", "\"a\\x09b\"", "has a control character");
  refused("a\x7f", "\"a\\x7f\"", "has a control character");
  refused(std::string("a\0b", 3), "\"a\\x00b\"", "has a control character");
  refused("\xc3(", "\"\\xc3(\"", "is not UTF-8");
  refused(std::string(1025, 'x'), "\"" + std::string(200, 'x') + "\"... (1025 bytes)",
          "has 1025 bytes, at most 1024 are allowed");
  CHECK(holder.namedParameters().size() == 1);
  CHECK(holder.namedBuffers().size() == 1);
  CHECK(holder.childCount() == 1);
  holder.addParameter(std::string(1024, 'x'), Tensor::ones({1}));
  holder.addParameter("gewicht größer 1", Tensor::ones({1}));
  CHECK(holder.namedParameters().size() == 3);
}

TEST_CASE("the help for a name that is taken says what to do about it") {
  Holder holder;
  holder.addParameter("w", Tensor::ones({1}));
  holder.add("child", nn::ReLU());
  CHECK(contains(messageOf([&] { holder.addParameter("w", Tensor::ones({1})); }),
                 "help    give it another name; a tensor that serves in two places is added once and used in both"));
  CHECK(contains(messageOf([&] { holder.add("child", nn::ReLU()); }), "a module that runs twice is added once"));
  CHECK(contains(messageOf([&] { holder.addBuffer("a.b", Tensor::ones({1})); }), "names are 1 to 1024 bytes"));
}

TEST_CASE("a forward that returns an undefined tensor is an error with the module's path and type") {
  struct Forgetful : nn::Module {
    Tensor forward(const Tensor& x) override {
      Tensor y;
      if (x.rank() == 3) y = x;
      return y;
    }
  };
  nn::Sequential net(nn::ReLU(), nn::Sequential(Forgetful{}));
  const std::string message = messageOf([&] { net(Tensor::ones({2, 2})); });
  CHECK(contains(message, "[Forgetful] StateError: forward returned an undefined tensor"));
  CHECK(contains(message, "at      1.0 (Forgetful)"));
  CHECK(net(Tensor::ones({2, 2, 2})).rank() == 3);
  const std::string summary = messageOf([&] { net.summary({2, 2}); });
  CHECK(contains(summary, "[Forgetful] StateError: forward returned an undefined tensor"));
}

TEST_CASE("calling a module that was moved from is an error; what it moved into works") {
  Scaled block(2);
  const Tensor x = Tensor::ones({1, 2, 4, 4});
  nn::Sequential net(std::move(block));
  CHECK(headlineOf<StateError>([&] { block(x); }) ==
        "[Scaled] StateError: the module was moved from: its parameters and children are elsewhere");
  CHECK(toString(net(x).shape()) == toString(x.shape()));
  nn::Sequential other;
  other = std::move(net);
  CHECK_THROWS_AS(net(x), StateError);
  CHECK(toString(other(x).shape()) == toString(x.shape()));
  net = nn::Sequential(nn::ReLU());  // filled again
  CHECK(toString(net(x).shape()) == toString(x.shape()));
}

TEST_CASE("tensors that cannot be trained or saved are refused, and leave no trace") {
  Holder holder;
  CHECK(headlineOf<ValueError>([&] { holder.addParameter("w", {}); }) ==
        "[Holder] ValueError: the tensor \"w\" is undefined");
  CHECK(headlineOf<ValueError>([&] { holder.addBuffer("w", {}); }) ==
        "[Holder] ValueError: the tensor \"w\" is undefined");
  CHECK_THROWS_AS(holder.addParameter("w", Tensor::ones({2}, DType::I64)), DtypeError);
  Tensor leaf = Tensor::ones({2}).setRequiresGrad();
  CHECK_THROWS_AS(holder.addParameter("w", leaf * leaf), StateError);
  CHECK_THROWS_AS(holder.addChild("w", nullptr), ValueError);
  CHECK(stateOf(holder).empty());
  holder.addParameter("w", leaf);
  CHECK(holder.namedParameters().size() == 1);
}

TEST_CASE("children declared where they stand survive moves") {
  seed(3);
  Scaled first(2);
  const Tensor x = Tensor::uniform({2, 2, 4, 4});
  first.eval();
  const Tensor before = first(x);
  const nn::Module* conv = &first.conv;

  Scaled second(std::move(first));
  CHECK(&second.conv == conv);
  CHECK(&second.conv == &second.child("conv"));
  CHECK(sameBits(second(x), before));

  nn::Sequential net(std::move(second), nn::Identity());
  nn::Sequential outer(std::move(net), nn::Identity());
  CHECK(&outer.child("0.0.conv") == conv);
  auto& block = dynamic_cast<Scaled&>(outer.child("0.0"));
  CHECK(&block.conv == conv);
  CHECK(&block.norm == &block.child("norm"));
  CHECK(sameBits(outer(x), before));
  {
    const NoGrad guard;
    outer.namedParameters()[0].tensor.fill_(0);  // 0.0.scale
  }
  CHECK(sameBits(outer(x), x));
}

TEST_CASE("a net prints as a tree, one module a line") {
  nn::Sequential net(Scaled(2), nn::Sequential(nn::MaxPool2D({.kernel = 2}), nn::Flatten()), nn::Dropout(0.25),
                     nn::Linear(8, 10, {.bias = false}));
  CHECK(net.toString() ==
        "Sequential\n"
        "  0: Scaled\n"
        "    conv: Conv2D(2 -> 2, 3x3, padding 1, no bias)\n"
        "    norm: BatchNorm2D(2)\n"
        "  1: Sequential\n"
        "    0: MaxPool2D(2)\n"
        "    1: Flatten\n"
        "  2: Dropout(0.25)\n"
        "  3: Linear(8 -> 10, no bias)\n");
  CHECK(Boxed<nn::ReLU>().typeName() == "Boxed<ember::nn::ReLU>");
}

TEST_CASE("train and eval reach every module below, and only those") {
  nn::Sequential net(Scaled(2), nn::Sequential(nn::Dropout(0.5)));
  const auto modes = [&] {
    std::string text;
    for (const auto& [path, module] : net.namedModules()) text += module->training() ? 't' : 'e';
    return text;
  };
  CHECK(modes() == "tttttt");
  net.eval();
  CHECK(modes() == "eeeeee");
  net.child("0").train();
  CHECK(modes() == "etttee");
  net.train();
  net.child("1").train(false);
  CHECK(modes() == "ttttee");
}

TEST_CASE("to(F64) converts parameters and floating buffers, and the net computes in f64") {
  seed(1);
  nn::Sequential net = smallNet();
  const std::vector<float> before = net.namedParameters()[0].tensor.toVector<float>();
  const Tensor x = Tensor::uniform({2, 1, 4, 4});
  net(x).sum().backward();
  net.to(DType::F64).eval();
  for (const nn::Parameter& p : stateOf(net))
    CHECK(p.tensor.dtype() == (p.name == "1.num_batches_tracked" ? DType::I64 : DType::F64));
  for (const nn::Parameter& p : net.namedParameters()) {
    CHECK(p.tensor.requiresGrad());
    CHECK(!p.tensor.grad().defined());  // it was of the other type
  }
  CHECK(net.namedParameters()[0].tensor.toVector<float>() == before);
  CHECK(net(x.to(DType::F64)).dtype() == DType::F64);
  CHECK_THROWS_AS(net(x), DtypeError);
  CHECK(net.to(DType::F32)(x).dtype() == DType::F32);
  for (const DType dtype : {DType::I64, DType::BF16, DType::Bool}) CHECK_THROWS_AS(net.to(dtype), DtypeError);
}

TEST_CASE("forward hooks see module, inputs and outputs, children before their parents") {
  seed(1);
  nn::Sequential net(nn::Linear(2, 3), nn::ReLU());
  std::string log;
  const Tensor x = Tensor::of<float>({1, 2}, {1, 2});
  const auto note = [&](const std::string& mark) {
    return [&log, mark](nn::Module& module, const Tensors& inputs, const Tensors& outputs) {
      log += mark + module.typeName() + toString(inputs.at(0).shape()) + toString(outputs.at(0).shape()) + " ";
    };
  };
  net.registerForwardHook(note("1:"));
  net.registerForwardHook(note("2:"));
  net.child(0).registerForwardHook(note(""));
  nn::Sequential moved(std::move(net));
  moved(x);
  CHECK(log == "Linear[1, 2][1, 3] 1:Sequential[1, 2][1, 3] 2:Sequential[1, 2][1, 3] ");
  moved.child(0).registerForwardHook(
      [](nn::Module&, const Tensors&, const Tensors&) { throw ValueError("mine", "enough"); });
  CHECK(contains(messageOf([&] { moved(x); }), "at      0 (Linear 2 -> 3)"));
}

TEST_CASE("modules of several tensors chain; the one-tensor form says when it does not fit") {
  nn::Sequential net{SumAndDifference(), nn::Identity(), SumAndDifference()};
  const Tensor a = Tensor::of({3}), b = Tensor::of({1});
  const Tensors result = net(Tensors{a, b});
  REQUIRE(result.size() == 2);
  CHECK(result[0].item() == 6);
  CHECK(result[1].item() == 2);
  struct Last : nn::Module {
    Tensors forward(const Tensors& inputs) override { return {inputs[0], inputs[0]}; }
  } last;
  CHECK(headlineOf<StateError>([&] { last(a); }) == "[Last] StateError: forward gave 2 tensors where one was expected");
  nn::ReLU relu;
  CHECK(headlineOf<StateError>([&] { relu(Tensors{a, b}); }) == "[ReLU] StateError: forward takes one tensor, got 2");
  CHECK(headlineOf<StateError>([&] { Holder()(a); }) == "[Holder] StateError: the module has no forward");
}

TEST_CASE("an error carries the path of the module whose forward was running") {
  struct Classifier : nn::Module {
    nn::Sequential& features = add("features", nn::Sequential(nn::Conv2D(1, 32, {.kernel = 5}), nn::ReLU()));
    Tensor forward(const Tensor& x) override { return features(x); }
  } net;
  const Tensor wrong = Tensor::zeros({2, 3, 8, 8});
  const std::string message = messageOf([&] { net(wrong); });
  CHECK(contains(message, "\n    at       features.0 (Conv2D 1 -> 32, 5x5)\n"));
  CHECK(contains(messageOf([&] { net.features.child(0)(wrong); }), "\n    at       0 (Conv2D 1 -> 32, 5x5)\n"));
  // What was left by an exception is left whole.
  CHECK(!contains(messageOf([&] { conv2d(wrong, Tensor::zeros({1, 1, 3, 3})); }), "    at "));
  CHECK(contains(messageOf([&] { nn::Conv2D(1, 32, {.kernel = 5})(wrong); }), "\n    at       Conv2D 1 -> 32, 5x5\n"));
}

TEST_CASE("settings of a parameter are found by dotted name") {
  nn::Sequential net(Scaled(2));
  net.parameterSettings("0.norm.weight").weightDecayMultiplier = 0;
  for (const nn::Parameter& p : net.namedParameters())
    CHECK(p.settings.weightDecayMultiplier == (p.name == "0.norm.weight" ? 0 : 1));
  const std::string message = messageOf([&] { net.parameterSettings("0.norm.wight"); });
  CHECK(contains(message, "no parameter \"0.norm.wight\""));
  CHECK(contains(message, "did you mean \"0.norm.weight\"?"));
}

TEST_CASE("zeroGrad marks every gradient absent") {
  nn::Sequential net(nn::Linear(2, 2), nn::Linear(2, 2));
  net(Tensor::ones({1, 2})).sum().backward();
  for (const nn::Parameter& p : net.namedParameters()) CHECK(p.tensor.grad().defined());
  net.zeroGrad();
  for (const nn::Parameter& p : net.namedParameters()) CHECK(!p.tensor.grad().defined());
}
