#include <doctest/doctest.h>

#include <ember/ember.h>

#include "support/Headline.h"
#include "support/Residual.h"

using namespace ember;
using namespace ember::test;

namespace {

const nn::Summary::Row& row(const nn::Summary& summary, const std::string& path) {
  for (const auto& r : summary.rows) {
    if (r.path == path) return r;
  }
  throw std::runtime_error("no row " + path);
}

}  // namespace

TEST_CASE("the summary of a module of one's own comes from its real forward") {
  Residual net(16);
  const nn::Summary s = net.summary({2, 16, 8, 8});
  REQUIRE(s.rows.size() == 5);
  std::string order;
  for (const auto& r : s.rows) order += std::to_string(r.depth) + r.path + " ";
  CHECK(order == "0 1conv1 1norm1 1conv2 1norm2 ");
  // A filter looks at 16 channels and 9 places, for 16 outputs at each of 2·64 positions.
  constexpr i64 conv = 16 * 9 * 16 * 2 * 64;
  CHECK(row(s, "conv1").multiplyAdds == conv);
  CHECK(row(s, "norm1").multiplyAdds == 0);
  CHECK(row(s, "").multiplyAdds == 2 * conv);
  CHECK(s.multiplyAdds == 2 * conv);
  CHECK(row(s, "conv1").parameters == 16 * 16 * 9);
  CHECK(row(s, "norm1").parameters == 32);
  CHECK(row(s, "").parameters == s.parameters);
  CHECK(s.parameters == 2 * (16 * 16 * 9 + 32));
  CHECK(s.trainable == s.parameters);
  CHECK(s.parameterBytes == 4 * s.parameters);
  for (const auto& r : s.rows) {
    CHECK(toString(r.output) == "[2, 16, 8, 8]");
    CHECK(r.outputBytes == 4 * 2 * 16 * 64);
    CHECK(r.leaf == (r.depth == 1));
  }
  CHECK(s.activationBytes == 4 * (4 * 2 * 16 * 64));
  CHECK(row(s, "conv1").type == "Conv2D");
  CHECK(row(s, "conv1").details == "16 -> 16, 3x3, padding 1, no bias");
}

TEST_CASE("multiply-adds of every kind of layer, by hand") {
  const auto count = [](nn::Module&& net, const Shape& input) { return net.summary(input).multiplyAdds; };
  CHECK(count(nn::Linear(12, 5), {3, 12}) == 3 * 12 * 5);
  CHECK(count(nn::Linear(12, 5), {2, 3, 12}) == 6 * 12 * 5);
  CHECK(count(nn::Conv1D(4, 6, {.kernel = 3, .stride = 2}), {1, 4, 9}) == 4 * (4 * 3 * 6));           // 4 positions
  CHECK(count(nn::Conv2D(4, 6, {.kernel = {1, 3}, .groups = 2}), {1, 4, 5, 5}) == 15 * (2 * 3 * 6));  // 5 x 3 positions
  CHECK(count(nn::Conv3D(2, 3, {.kernel = 2}), {1, 2, 3, 3, 3}) == 8 * (2 * 8 * 3));
  CHECK(count(nn::Sequential(nn::ReLU(), nn::MaxPool2D({.kernel = 2}), nn::BatchNorm2D(2)), {1, 2, 4, 4}) == 0);
}

TEST_CASE("a summary prints as a table") {
  nn::Sequential net(nn::Conv2D(1, 2, {.kernel = 3}), nn::Sequential(nn::ReLU(), nn::Flatten()),
                     nn::Linear(2 * 2 * 2, 1000));
  net.freeze("0.*");
  CHECK(fmt::format("{}", net.summary({1, 1, 4, 4})) ==
        "input [1, 1, 4, 4]\n"
        "layer                      output        parameters  multiply-adds  bytes\n"
        "-------------------------------------------------------------------------\n"
        "Sequential                 [1, 1000]          9,020          8,072  4,000\n"
        "  0: Conv2D (1 -> 2, 3x3)  [1, 2, 2, 2]          20             72     32\n"
        "  1: Sequential            [1, 8]                 0              0     32\n"
        "    0: ReLU                [1, 2, 2, 2]           0              0     32\n"
        "    1: Flatten             [1, 8]                 0              0     32\n"
        "  2: Linear (8 -> 1000)    [1, 1000]          9,000          8,000  4,000\n"
        "-------------------------------------------------------------------------\n"
        "9,020 parameters (9,000 trainable, 36,080 bytes), 8,072 multiply-adds, 4,096 bytes of layer outputs");
}

TEST_CASE("a summary reports shape errors, with the layer, before any data is touched") {
  nn::Sequential net(nn::Conv2D(1, 8, {.kernel = 3}), nn::Flatten(), nn::Linear(100, 10));
  const i64 before = memory::stats().nowBytes;
  const std::string message = messageOf([&] { net.summary({64, 1, 28, 28}); });
  CHECK(contains(message, "ShapeError"));
  CHECK(contains(message, "at       2 (Linear 100 -> 10)"));
  CHECK(contains(message, "5408"));  // 8·26·26: what the layer should be built with
  CHECK(memory::stats().nowBytes == before);
}

TEST_CASE("a forward that reads values cannot be summarised, and the error says why and where") {
  struct Reader : nn::Module {
    Tensor forward(const Tensor& x) override { return x.sum().item() > 0 ? x : -x; }
  };
  nn::Sequential net(nn::ReLU(), Reader{});
  CHECK(net(Tensor::ones({2})).numel() == 2);
  const std::string message = messageOf([&] { net.summary({2}); });
  CHECK(contains(message, "[item] StateError: the tensor [] has a shape but no values"));
  CHECK(contains(message, "at      1 (Reader)"));
  CHECK(contains(message, "a forward that reads values cannot be run without data, as summary() runs it"));
}

TEST_CASE("a summary of any size costs no memory and changes nothing") {
  seed(1);
  nn::Sequential net(nn::Conv2D(1, 64, {.kernel = 3, .padding = 1}), nn::BatchNorm2D(64), nn::Dropout(0.5),
                     nn::GlobalAvgPool(), nn::Linear(64, 10));
  memory::resetPeak();
  const i64 before = memory::stats().peakBytes;
  const nn::Summary s = net.summary({1024, 1, 4096, 4096});
  CHECK(memory::stats().peakBytes == before);
  CHECK(s.rows[1].outputBytes == i64{4} * 64 * 1024 * 4096 * 4096);
  CHECK(s.multiplyAdds == i64{9} * 64 * 1024 * 4096 * 4096 + 1024 * 64 * 10);
  CHECK(net.training());
  CHECK(net.streams().empty());
  for (const nn::Parameter& b : net.namedBuffers()) {
    if (b.name == "1.num_batches_tracked") CHECK(b.tensor.item() == 0);
  }
}

TEST_CASE("modules that run twice have two rows, and their parameters count once") {
  struct Twice : nn::Module {
    nn::Linear& inner = add("inner", nn::Linear(3, 3));
    Tensor forward(const Tensor& x) override { return inner(inner(x)); }
  } net;
  const nn::Summary s = net.summary({1, 3});
  CHECK(s.rows.size() == 3);
  CHECK(s.parameters == 12);
  CHECK(s.multiplyAdds == 18);
}

TEST_CASE("summaries of nets in f64 take the type, and nest in forwards") {
  nn::Sequential net(nn::Linear(3, 2));
  net.to(DType::F64);
  const nn::Summary s = net.summary({1, 3}, DType::F64);
  CHECK(s.parameterBytes == 8 * 8);
  CHECK(s.rows[1].outputBytes == 2 * 8);
  struct Curious : nn::Module {
    nn::Linear& inner = add("inner", nn::Linear(3, 3));
    Tensor forward(const Tensor& x) override {
      rows = inner.summary(x.shape()).rows.size();
      return inner(x);
    }
    std::size_t rows = 0;
  } curious;
  const nn::Summary outer = curious.summary({1, 3});
  CHECK(outer.rows.size() == 2);
  CHECK(outer.multiplyAdds == 9);  // the inner summary's own run does not count
  CHECK(curious.rows == 1);
}
