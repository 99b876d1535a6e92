// The ready nets of nn/models: parameters as published, state and answers as torchvision's (tests/golden/
// generate_models.py), small ones trained, saved and folded. Large ones are built of shapes alone.
#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Draw.h"
#include "support/Golden.h"
#include "support/Headline.h"
#include "support/State.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;
namespace models = ember::nn::models;

namespace {

using Make = std::function<std::unique_ptr<nn::Module>()>;

template <class F>
Make make(F f) {
  return [f] { return std::make_unique<decltype(f())>(f()); };
}

template <class F>
std::unique_ptr<nn::Module> shapesOf(F f) {
  const nn::init::ShapesOnly scope;
  return make(f)();
}

template <class F>
i64 count(F f) {
  return shapesOf(f)->parameterCount();
}

/// Nets of every kind, small enough to run; the shape of a batch.
struct Small {
  Make make;
  Shape input;
};
const std::map<std::string, Small> small = {
    {"lenet", {make([] { return models::lenet(); }), {2, 1, 28, 28}}},
    {"lenet with ReLU", {make([] { return models::lenet({.channels = 2, .classes = 3, .padding = 0, .relu = true}); }),
                         {2, 2, 32, 32}}},
    {"cifarResnet", {make([] { return models::cifarResnet(8); }), {2, 3, 16, 16}}},
    {"cifarResnet by projection",
     {make([] { return models::cifarResnet(8, {.channels = 1, .classes = 4, .projection = true}); }), {2, 1, 16, 16}}},
    {"wideResnet", {make([] { return models::wideResnet(10, 1, {.dropout = 0.2}); }), {2, 3, 16, 16}}},
    {"cifarDensenet", {make([] { return models::cifarDensenet(10, 4, {.dropout = 0.1}); }), {2, 3, 16, 16}}},
    {"mobileNetV2", {make([] { return models::mobileNetV2({.classes = 5, .width = 0.1}); }), {2, 3, 64, 64}}},
    {"unet", {make([] { return models::unet({.classes = 2, .width = 2, .levels = 2}); }), {2, 3, 8, 12}}},
    {"unet without norms",
     {make([] { return models::unet({.channels = 1, .width = 2, .levels = 1, .batchNorm = false}); }), {2, 1, 6, 4}}},
    {"autoencoder", {make([] { return models::autoencoder(); }), {2, 1, 8, 12}}},
    {"dcganGenerator", {make([] { return models::dcganGenerator({.latent = 6, .width = 2}); }), {2, 6, 1, 1}}},
    {"dcganDiscriminator", {make([] { return models::dcganDiscriminator({.width = 2}); }), {2, 3, 64, 64}}},
};

template <class F>
void each(F f) {
  for (const auto& entry : small) {
    CAPTURE(entry.first);
    f(entry.second);
  }
}

/// Nets that torchvision has, by its names.
std::unique_ptr<nn::Module> torchvision(const std::string& name) {
  if (name == "resnet18") return make([] { return models::resnet(18); })();
  if (name == "resnet50") return make([] { return models::resnet(50); })();
  if (name == "densenet121") return make([] { return models::densenet(121); })();
  if (name == "mobilenet_v2") return make([] { return models::mobileNetV2(); })();
  REQUIRE(name == "vgg11_bn");
  return make([] { return models::vgg(11, {.batchNorm = true}); })();
}

std::string line(const nn::Parameter& p) {
  std::string text = p.name + " ";
  for (const i64 size : p.tensor.shape().vector()) text += std::to_string(size) + "x";
  text.pop_back();
  return text;
}

/// Element i of the tensor at `number` in torchvision's state: `weight` of generate_models.py.
Tensor weightOf(const Tensor& t, const std::string& name, std::size_t number) {
  std::vector<double> values(static_cast<std::size_t>(t.numel()));
  const double fan = t.rank() >= 2 ? static_cast<double>(t.numel() / t.size(0)) : 1;
  const bool aroundOne = name.ends_with("running_var") || name.ends_with("weight");
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double unit = static_cast<double>((i * 7919 + number * 104729 + 12345) % 65536) / 65536 - 0.5;
    values[i] = t.rank() >= 2 ? unit * (2 * std::sqrt(6 / fan)) : (aroundOne ? 1 : 0) + unit * 0.2;
  }
  return Tensor::of<double>(values, t.shape());
}

double billions(const nn::Summary& summary) {
  return std::round(static_cast<double>(summary.multiplyAdds) / 1e7) / 100;
}

}  // namespace

TEST_CASE("nets have the parameters that their authors, torchvision and PyTorch's examples publish") {
  CHECK(count([] { return models::lenet(); }) == 61706);
  CHECK(count([] { return models::nin(); }) == 966986);
  const std::map<int, i64> vgg = {{11, 132863336}, {13, 133047848}, {16, 138357544}, {19, 143667240}};
  for (const auto& entry : vgg) CHECK(count([&] { return models::vgg(entry.first); }) == entry.second);
  const std::map<int, i64> vggNorm = {{11, 132868840}, {13, 133053736}, {16, 138365992}, {19, 143678248}};
  for (const auto& entry : vggNorm)
    CHECK(count([&] { return models::vgg(entry.first, {.batchNorm = true}); }) == entry.second);
  const std::map<int, i64> resnet = {
      {18, 11689512}, {34, 21797672}, {50, 25557032}, {101, 44549160}, {152, 60192808}};
  for (const auto& entry : resnet) CHECK(count([&] { return models::resnet(entry.first); }) == entry.second);
  CHECK(count([] { return models::resnet(50, {.widthFactor = 2}); }) == 68883240);
  CHECK(count([] { return models::resnet(101, {.widthFactor = 2}); }) == 126886696);
  const std::map<int, i64> cifar = {{20, 269722}, {32, 464154}, {44, 658586}, {56, 853018}, {110, 1727962}};
  for (const auto& entry : cifar) CHECK(count([&] { return models::cifarResnet(entry.first); }) == entry.second);
  CHECK(count([] { return models::cifarResnet(20, {.projection = true}); }) == 272474);
  CHECK(count([] { return models::wideResnet(28, 10); }) == 36479194);
  CHECK(count([] { return models::wideResnet(16, 8); }) == 10961370);
  CHECK(count([] { return models::wideResnet(40, 4); }) == 8949210);
  const std::map<int, i64> densenet = {{121, 7978856}, {169, 14149480}, {201, 20013928}};
  for (const auto& entry : densenet) CHECK(count([&] { return models::densenet(entry.first); }) == entry.second);
  CHECK(count([] { return models::cifarDensenet(100, 12); }) == 769162);
  CHECK(count([] { return models::mobileNetV2(); }) == 3504872);
  CHECK(count([] { return models::unet(); }) == 7763041);
  CHECK(count([] { return models::unet({.width = 64}); }) == 31037633);
  CHECK(count([] { return models::unet({.classes = 2, .width = 64}); }) == 31037698);
  CHECK(count([] { return models::dcganGenerator(); }) == 3576704);
  CHECK(count([] { return models::dcganDiscriminator(); }) == 2765568);
  memory::releaseCached();  // address space that the shapes were made with
}

TEST_CASE("at 224x224 nets do the work that torchvision's page tells, and give 1000 scores") {
  const auto of = [](auto f) { return shapesOf(f)->summary({1, 3, 224, 224}); };
  CHECK(billions(of([] { return models::resnet(18); })) == 1.81);
  CHECK(billions(of([] { return models::resnet(34); })) == 3.66);
  CHECK(billions(of([] { return models::resnet(50); })) == 4.09);
  CHECK(billions(of([] { return models::resnet(152); })) == 11.51);
  CHECK(billions(of([] { return models::resnet(50, {.widthFactor = 2}); })) == 11.40);
  CHECK(billions(of([] { return models::vgg(16); })) == 15.47);
  CHECK(billions(of([] { return models::mobileNetV2(); })) == 0.30);
  const nn::Summary dense = of([] { return models::densenet(121); });
  CHECK(billions(dense) == 2.83);
  CHECK(toString(dense.rows[0].output) == "[1, 1000]");
  const auto shapeFrom = [](auto f, const Shape& x) {
    return toString(shapesOf(f)->summary(x).rows[0].output);
  };
  CHECK(shapeFrom([] { return models::nin({.classes = 7}); }, {2, 3, 32, 32}) == "[2, 7]");
  CHECK(shapeFrom([] { return models::vgg(11, {.channels = 1, .classes = 10}); }, {2, 1, 32, 32}) == "[2, 10]");
  CHECK(shapeFrom([] { return models::unet(); }, {1, 3, 256, 256}) == "[1, 1, 256, 256]");
  CHECK(shapeFrom([] { return models::dcganGenerator(); }, {4, 100, 1, 1}) == "[4, 3, 64, 64]");
  CHECK(shapeFrom([] { return models::dcganDiscriminator(); }, {4, 3, 64, 64}) == "[4, 1]");
  CHECK(shapeFrom([] { return models::autoencoder({.levels = 3}); }, {4, 1, 16, 24}) == "[4, 1, 16, 24]");
  memory::releaseCached();
}

TEST_CASE("state has torchvision's names and shapes") {
  for (const Json& c : golden("models")) {
    const auto name = c.at("name").get<std::string>();
    CAPTURE(name);
    const auto net = [&] {
      const nn::init::ShapesOnly scope;
      return torchvision(name);
    }();
    CHECK(net->parameterCount() == c.at("parameters").get<i64>());
    std::vector<std::string> here, there = c.at("state").get<std::vector<std::string>>();
    for (const nn::Parameter& p : stateOf(*net)) here.push_back(line(p));
    std::sort(here.begin(), here.end());
    std::sort(there.begin(), there.end());
    REQUIRE(here.size() == there.size());
    for (std::size_t i = 0; i < here.size(); ++i) CHECK(here[i] == there[i]);
  }
  memory::releaseCached();
}

TEST_CASE("with torchvision's weights nets give torchvision's scores") {
  int compared = 0;
  for (const Json& c : golden("models")) {
    if (!c.contains("scores")) continue;
    const auto name = c.at("name").get<std::string>();
    CAPTURE(name);
    const NoGrad guard;
    const auto net = [&] {
      const nn::init::Skip skip;
      return torchvision(name);
    }();
    net->to(DType::F64);
    net->eval();
    std::map<std::string, std::size_t> numbers;
    for (const auto& entry : c.at("state")) {
      const auto text = entry.get<std::string>();
      numbers.emplace(text.substr(0, text.find(' ')), numbers.size());
    }
    for (const nn::Parameter& p : stateOf(*net)) {
      Tensor t = p.tensor;
      if (t.dtype() == DType::F64) t.copy_(weightOf(t, p.name, numbers.at(p.name)));
    }
    const i64 size = c.at("size").get<i64>();
    std::vector<double> pixels(static_cast<std::size_t>(3 * size * size));
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<double>((i * 31 + 7) % 1000) / 500 - 1;
    const Tensor y = (*net)(Tensor::of<double>(pixels, {1, 3, size, size}));
    const auto expected = c.at("scores").get<std::vector<double>>();
    // Some hundred layers on top of each other, each rounded: 1e-16 grows to 1e-11 or so.
    CHECK_CLOSE(slice(y, 1, 0, 10), Tensor::of<double>(expected, {1, 10}), (Tolerance{1e-8, 1e-9}), "scores");
    ++compared;
  }
  CHECK(compared == 4);
}

TEST_CASE("every parameter of every small net gets a gradient, and a step lowers the loss") {
  each([](const Small& s) {
    seed(4);
    const auto net = s.make();
    const Tensor x = Tensor::uniform(s.input);
    const auto loss = [&] {
      net->setStreams({});  // the same dropout
      const Tensor y = (*net)(x);
      return mean((y - 0.3) * (y - 0.3));
    };
    const Tensor before = loss();
    before.backward();
    const NoGrad guard;
    double squares = 0;
    for (nn::Parameter& p : net->namedParameters()) {
      CAPTURE(p.name);
      REQUIRE(p.tensor.grad().defined());
      const double square = sum(p.tensor.grad() * p.tensor.grad()).item();
      CHECK(square > 0);  // no part of the net is dead
      squares += square;
    }
    // So short that the slope is that of the gradient: the loss falls by 1e-3 of itself.
    const double rate = 1e-3 * before.item() / squares;
    for (nn::Parameter& p : net->namedParameters()) p.tensor.add_(p.tensor.grad() * -rate);
    const double after = loss().item();
    CHECK(after < before.item());
    CHECK(after > before.item() * 0.99);
  });
}

TEST_CASE("a small net of every kind comes back from its file and clones") {
  const TempFolder folder;
  each([&](const Small& s) {
    seed(5);
    const auto net = s.make();
    const Tensor x = Tensor::uniform(s.input);
    (void)(*net)(x);
    net->eval();
    save(folder / "net.json", *net);
    const auto again = nn::load(folder / "net.json");
    again->eval();
    CHECK(stateDifference(*again, *net) == "");
    CHECK(again->architecture() == net->architecture());
    const Tensor y = (*net)(x);
    CHECK(sameBits((*again)(x), y));
    CHECK(sameBits((*net->clone())(x), y));
  });
}

TEST_CASE("the same seed builds the same net, and another one another") {
  each([](const Small& s) {
    seed(6);
    const auto a = s.make();
    seed(6);
    const auto b = s.make();
    CHECK(stateDifference(*a, *b) == "");
    seed(7);
    CHECK(stateDifference(*a, *s.make()) != "");
  });
}

TEST_CASE("batch norms of residual nets fold, shortcuts included") {
  seed(8);
  const NoGrad guard;
  nn::Sequential basic = models::cifarResnet(8, {.projection = true});
  basic.eval();
  CHECK(nn::foldBatchNorm(basic, {2, 3, 16, 16}) == 1 + 6 + 2);
  nn::Sequential mobile = models::mobileNetV2({.classes = 2, .width = 0.1});
  mobile.eval();
  CHECK(nn::foldBatchNorm(mobile, {2, 3, 32, 32}) == 52);
  nn::Graph unet = models::unet({.width = 2, .levels = 1});
  unet.eval();
  CHECK(nn::foldBatchNorm(unet, {1, 3, 4, 4}) == 6);
}

TEST_CASE("blocks compute what their formulas say") {
  seed(9);
  const Tensor x = draw("x", {2, 2, 4, 4});
  nn::WideBlock block(2, 3, 2);
  block.to(DType::F64);
  block.eval();
  const auto run = [&](const char* name, const Tensor& t) { return block.child(std::string_view(name))(t); };
  const Tensor h = run("bn1", x);
  CHECK(sum(h * cast(h < 0, DType::F64)).item() == 0);  // activated
  CHECK_CLOSE(block(x), run("conv2", run("bn2", run("conv1", h))) + run("convShortcut", h), (Tolerance{1e-14, 1e-14}),
              "wide block");

  nn::BasicBlock padded(2, 4, 2, nn::Shortcut::Pad);
  padded.to(DType::F64);
  padded.eval();
  {  // without a body what is left is the shortcut
    const NoGrad guard;
    for (nn::Parameter& p : padded.namedParameters()) p.tensor.fill_(0);
  }
  const Tensor y = padded(x);
  CHECK(toString(y.shape()) == "[2, 4, 2, 2]");
  CHECK(sum(slice(y, 1, 0, 1)).item() == 0);
  CHECK(sum(slice(y, 1, 3, 4)).item() == 0);
  CHECK(sameBits(slice(y, 1, 1, 3), relu(slice(slice(x, 2, 0, 4, 2), 3, 0, 4, 2))));
}

TEST_CASE("depths and widths that there are none of are refused, with those that there are") {
  CHECK(headlineOf<ValueError>([] { models::resnet(20); }) == "[resnet] ValueError: there is no depth 20");
  CHECK(headlineOf<ValueError>([] { models::resnet(18, {.widthFactor = 2}); }) ==
        "[resnet] ValueError: widthFactor is 2 at depth 18");
  CHECK(headlineOf<ValueError>([] { models::cifarResnet(18); }) == "[cifarResnet] ValueError: there is no depth 18");
  CHECK(headlineOf<ValueError>([] { models::wideResnet(27, 10); }) == "[wideResnet] ValueError: there is no depth 27");
  CHECK(headlineOf<ValueError>([] { models::wideResnet(28, 0); }) ==
        "[wideResnet] ValueError: the factor of the width is 0");
  CHECK(headlineOf<ValueError>([] { models::vgg(12); }) == "[vgg] ValueError: there is no depth 12");
  CHECK(headlineOf<ValueError>([] { models::densenet(100); }) == "[densenet] ValueError: there is no depth 100");
  CHECK(headlineOf<ValueError>([] { models::cifarDensenet(100, 0); }) ==
        "[cifarDensenet] ValueError: growth is 0");
  CHECK_THROWS_AS(models::cifarDensenet(10, 4, {.compression = 0}), ValueError);
  CHECK_THROWS_AS(models::cifarDensenet(99, 4), ValueError);
  CHECK_THROWS_AS(models::mobileNetV2({.width = 0}), ValueError);
  CHECK_THROWS_AS(models::mobileNetV2({.width = std::nan("")}), ValueError);
  CHECK_THROWS_AS(models::unet({.levels = 0}), ValueError);
  CHECK_THROWS_AS(models::unet({.width = i64{1} << 60}), Error);
  CHECK_THROWS_AS(models::autoencoder({.width = 0}), ValueError);
  CHECK_THROWS_AS(models::lenet({.classes = 0}), ValueError);
  CHECK_THROWS_AS(models::lenet({.channels = -1}), ValueError);
  CHECK_THROWS_AS(models::dcganGenerator({.latent = 0}), ValueError);
  CHECK(headlineOf<ValueError>([] { nn::BasicBlock(2, 5, 1, nn::Shortcut::Pad); })
            .starts_with("[BasicBlock] ValueError: as many channels of zeros"));
  CHECK(headlineOf<ValueError>([] { nn::InvertedResidual(2, 2, 3, 1); }) ==
        "[InvertedResidual] ValueError: stride is 3");
}
