#include <limits>
#include <sstream>
#include <vector>

#include <doctest/doctest.h>
#include <ember/autograd/Print.h>
#include <ember/autograd/ops/Arithmetic.h>
#include <ember/core/Error.h>

#include "support/Headline.h"

using namespace ember;
using namespace ember::test;

namespace {

const double notANumber = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();

std::string printed(const Tensor& x) { return fmt::format("{}", x); }

}  // namespace

TEST_CASE("numbers stand under each other, whole ones with a point") {
  CHECK(printed(Tensor::of({1, 2.5, -3})) == "[ 1.   2.5 -3. ] f32 [3]");
  CHECK(printed(Tensor::of<double>({1, 10.25, 3, 0.5}, {2, 2})) ==
        "[[ 1.   10.25]\n"
        " [ 3.    0.5 ]] f64 [2, 2]");
  CHECK(printed(Tensor::scalar(2.5)) == "2.5 f32 []");
  CHECK(printed(Tensor::of({1 / 3.0, 2 / 3.0})) == "[0.3333 0.6667] f32 [2]");
  CHECK(printed(Tensor::of({0.1f, 0.7f})) == "[0.1 0.7] f32 [2]");
  CHECK(printed(Tensor::of({0.0, 0.0})) == "[0. 0.] f32 [2]");
  CHECK(printed(Tensor::of({0.99999})) == "[1.] f32 [1]");
}

TEST_CASE("integers are right-aligned, and truth is spelled out") {
  CHECK(printed(Tensor::of<i64>({1, -20, 300})) == "[  1 -20 300] i64 [3]");
  CHECK(printed(Tensor::of<i64>({std::numeric_limits<i64>::max()})) == "[9223372036854775807] i64 [1]");
  CHECK(printed(Tensor::of<u8>({7, 255})) == "[  7 255] u8 [2]");
  CHECK(printed(Tensor::of<bool>({true, false})) == "[ true false] bool [2]");
}

TEST_CASE("very large, small or different numbers are written with exponents") {
  CHECK(printed(Tensor::of({1e10, 2.5})) == "[1.0e+10 2.5e+00] f32 [2]");
  CHECK(printed(Tensor::of({1e10, 2e10}, DType::F64)) == "[1.e+10 2.e+10] f64 [2]");
  CHECK(printed(Tensor::of({1e-7, -2.25e-6}, DType::F64)) == "[ 1.00e-07 -2.25e-06] f64 [2]");
  CHECK(printed(Tensor::of({0.001, 5}, DType::F64)) == "[1.e-03 5.e+00] f64 [2]");
  CHECK(printed(Tensor::of({0, 1e-300, 1e300}, DType::F64)) == "[ 0.e+00 1.e-300 1.e+300] f64 [3]");
}

TEST_CASE("NaN and infinity have names") {
  CHECK(printed(Tensor::of({notANumber, 10.25, -infinite})) == "[  nan 10.25  -inf] f32 [3]");
  CHECK(printed(Tensor::of({infinite})) == "[inf] f32 [1]");
}

TEST_CASE("blocks of higher rank stand further apart") {
  CHECK(printed(Tensor::of<i64>({0, 1, 2, 3, 4, 5, 6, 7}, {2, 2, 2})) ==
        "[[[0 1]\n"
        "  [2 3]]\n"
        "\n"
        " [[4 5]\n"
        "  [6 7]]] i64 [2, 2, 2]");
  CHECK(printed(Tensor::of<i64>({0, 1, 2, 3, 4, 5}, {2, 3}).transpose(0, 1)) ==
        "[[0 3]\n"
        " [1 4]\n"
        " [2 5]] i64 [3, 2]");
}

TEST_CASE("of more than 1000 elements the ends are shown") {
  CHECK(printed(Tensor::arange(0, 1001)) == "[   0.    1.    2. ...  998.  999. 1000.] f32 [1001]");
  CHECK(printed(Tensor::arange(0, 2000, 1, DType::I64).reshape({1000, 2})) ==
        "[[   0    1]\n"
        " [   2    3]\n"
        " [   4    5]\n"
        " ...\n"
        " [1994 1995]\n"
        " [1996 1997]\n"
        " [1998 1999]] i64 [1000, 2]");
  const std::string small =
      toString(Tensor::arange(0, 16, 1, DType::I64).reshape({4, 4}), {.threshold = 10, .edge = 1});
  CHECK(small ==
        "[[ 0 ...  3]\n"
        " ...\n"
        " [12 ... 15]] i64 [4, 4]");
  CHECK(printed(Tensor::zeros({200, 300, 400})).size() < 2500);
}

TEST_CASE("a long row goes on in the next line") {
  CHECK(toString(Tensor::arange(0, 12, 1, DType::I64), {.width = 20}) ==
        "[ 0  1  2  3  4  5\n"
        "  6  7  8  9 10 11] i64 [12]");
}

TEST_CASE("precision is the user's, through fmt as well") {
  const Tensor x = Tensor::of({1 / 3.0, 2}, DType::F64);
  CHECK(fmt::format("{:.8}", x) == "[0.33333333 2.        ] f64 [2]");
  CHECK(fmt::format("{:.0}", x) == "[0. 2.] f64 [2]");
  CHECK_THROWS_AS((void)fmt::format("{:.99}", x), ValueError);
  std::ostringstream stream;
  stream << x;
  CHECK(stream.str() == "[0.3333 2.    ] f64 [2]");
  CHECK(headlineOf<ValueError>([&] { (void)toString(x, {.edge = 0}); }) ==
        "[toString] ValueError: precision 4, threshold 1000, edge 0, width 100");
}

TEST_CASE("tensors without values say what they are") {
  CHECK(printed(Tensor()) == "undefined");
  CHECK(printed(Tensor::shapeOnly({2, 3})) == "(no values) f32 [2, 3]");
  CHECK(printed(Tensor::empty({2, 0})) == "[] f32 [2, 0]");
  const Tensor x = Tensor::ones({2}), stale = x.detach();
  Tensor(x.detach()).fill_(3);
  CHECK(printed(stale) == "(overwritten in place by fill_) f32 [2]");
}
