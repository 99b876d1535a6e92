#include <cmath>
#include <fstream>
#include <numbers>
#include <sstream>

#include <doctest/doctest.h>
#include <ember/ember.h>

#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::optim;
using namespace ember::test;

namespace {

/// Closed forms in f64: a few roundings.
doctest::Approx about(double value) { return doctest::Approx(value).epsilon(1e-14); }
double half(double share) { return (1 + std::cos(std::numbers::pi * share)) / 2; }

}  // namespace

TEST_CASE("curves are their closed forms") {
  for (const i64 t : {0, 1, 4, 5, 9, 10, 11, 99, 100, 1000}) {
    CAPTURE(t);
    const double x = static_cast<double>(t);
    CHECK(schedule::constant().factor(t) == 1);
    CHECK(Schedule().factor(t) == 1);
    CHECK(schedule::step(5, 0.5).factor(t) == about(std::pow(0.5, std::floor(x / 5))));
    CHECK(schedule::exponential(0.9).factor(t) == about(std::pow(0.9, x)));
    CHECK(schedule::multiStep({5, 10, 10}, 0.1).factor(t) == about(t < 5 ? 1 : t < 10 ? 0.1 : 0.001));
    CHECK(schedule::cosine(100).factor(t) == doctest::Approx(t < 100 ? half(x / 100) : 0).epsilon(1e-14));
    CHECK(schedule::cosine(100, 0.2).factor(t) == about(t < 100 ? 0.2 + 0.8 * half(x / 100) : 0.2));
    CHECK(schedule::warmUp(10, 0.1, schedule::exponential(0.5)).factor(t) ==
          about(t < 10 ? 0.1 + 0.9 * x / 10 : std::pow(0.5, x - 10)));
  }
}

TEST_CASE("the one-cycle curve begins, peaks and ends where it says") {
  const Schedule s = schedule::oneCycle({.steps = 100, .warmUp = 0.3, .startDivisor = 25, .finalDivisor = 1e4});
  CHECK(s.factor(0) == about(1 / 25.0));
  CHECK(s.factor(29) == about(1));  // warmUp·steps - 1
  CHECK(s.factor(99) == about(1 / 25.0 / 1e4));
  CHECK(s.factor(10) == about(1 - (1 - 1 / 25.0) * half(10 / 29.0)));
  CHECK(s.factor(64) == about(1 / 25e4 + (1 - 1 / 25e4) * half(35 / 70.0)));
  for (i64 t = 1; t < 100; ++t) CHECK((s.factor(t) > s.factor(t - 1)) == (t <= 29));
  // Two steps are the shortest run: no peak between them, but both ends are on the curve.
  const std::vector<double> shortest = schedule::oneCycle({.steps = 2}).curve(2);
  CHECK(shortest[0] <= 1);
  CHECK(shortest[1] == about(1 / 25.0 / 1e4));
}

TEST_CASE("steps past the end keep the last value (M11)") {
  CHECK(schedule::cosine(10, 0.25).factor(1'000'000) == 0.25);
  const Schedule cycle = schedule::oneCycle({.steps = 10});
  CHECK(cycle.factor(1'000'000) == cycle.factor(9));
  CHECK(schedule::warmUp(3, 0, schedule::cosine(5)).factor(1000) == 0);
}

TEST_CASE("arguments out of range are refused (M11)") {
  const double noNumber = std::nan(""), infinite = HUGE_VAL;
  CHECK(headlineOf<ValueError>([] { schedule::cosine(0); }) ==
        "[schedule::cosine] ValueError: steps is 0, expected 1 or more");
  CHECK(headlineOf<ValueError>([] { schedule::step(0); }) ==
        "[schedule::step] ValueError: every is 0, expected 1 or more");
  CHECK_THROWS_AS(schedule::cosine(-3), ValueError);
  CHECK_THROWS_AS(schedule::warmUp(0, 0.1, {}), ValueError);
  CHECK_THROWS_AS(schedule::oneCycle({}), ValueError);
  CHECK_THROWS_AS(schedule::oneCycle({.steps = 1}), ValueError);
  for (const double bad : {0.0, -0.5, noNumber, infinite}) {
    CHECK_THROWS_AS(schedule::step(3, bad), ValueError);
    CHECK_THROWS_AS(schedule::multiStep({3}, bad), ValueError);
    CHECK_THROWS_AS(schedule::exponential(bad), ValueError);
  }
  for (const double bad : {-0.1, 1.1, noNumber}) {
    CHECK_THROWS_AS(schedule::cosine(3, bad), ValueError);
    CHECK_THROWS_AS(schedule::warmUp(3, bad, {}), ValueError);
  }
  for (const double bad : {0.0, 1.0, -1.0, noNumber})
    CHECK_THROWS_AS(schedule::oneCycle({.steps = 10, .warmUp = bad}), ValueError);
  for (const double bad : {0.5, 0.0, noNumber, infinite}) {
    CHECK_THROWS_AS(schedule::oneCycle({.steps = 10, .startDivisor = bad}), ValueError);
    CHECK_THROWS_AS(schedule::oneCycle({.steps = 10, .finalDivisor = bad}), ValueError);
  }
  CHECK_THROWS_AS(schedule::multiStep({}), ValueError);
  CHECK_THROWS_AS(schedule::multiStep({5, 3}), ValueError);
  CHECK_THROWS_AS(schedule::multiStep({-1}), ValueError);
  CHECK(headlineOf<ValueError>([] { schedule::cosine(3).factor(-1); }) ==
        "[cosine] ValueError: the step is -1, below 0");
}

TEST_CASE("a schedule stores nothing between calls, and describes itself") {
  const Schedule s = schedule::warmUp(3, 0.5, schedule::oneCycle({.steps = 20}));
  const std::vector<double> forward = s.curve(30);
  REQUIRE(forward.size() == 30);
  for (i64 t = 29; t >= 0; --t) CHECK(s.factor(t) == forward[static_cast<std::size_t>(t)]);
  CHECK(schedule::cosine(10).description() == schedule::cosine(10).description());
  CHECK(!(schedule::cosine(10).description() == schedule::cosine(11).description()));
  CHECK(!(s.description() == schedule::warmUp(3, 0.5, schedule::oneCycle({.steps = 21})).description()));
  CHECK(schedule::exponential(0.5).description().dump() == R"({"type": "exponential", "args": {"gamma": 0.5}})");
  const Schedule mine("mine", {{"power", 2}}, [](i64 t) { return 1 / (1.0 + static_cast<double>(t * t)); });
  CHECK(mine.factor(2) == 0.2);
}

TEST_CASE("the further curves refuse arguments out of range (M11)") {
  using namespace ember::optim::schedule;
  CHECK(headlineOf<ValueError>([] { linear(0, 1, 0); }) ==
        "[schedule::linear] ValueError: steps is 0, expected 1 or more");
  CHECK(headlineOf<ValueError>([] {
          sequential({constant(), constant()}, {});
        }) == "[schedule::sequential] ValueError: the number of milestones is 0, expected one less than of parts");
  CHECK_THROWS_AS(polynomial(0), ValueError);
  CHECK_THROWS_AS(cosineRestarts(0), ValueError);
  CHECK_THROWS_AS(cosineRestarts(3, 0), ValueError);
  CHECK_THROWS_AS(cyclic({}), ValueError);
  CHECK_THROWS_AS(cyclic({.up = 3, .down = -1}), ValueError);
  CHECK_THROWS_AS(cyclic({.up = INT64_MAX}), ValueError);
  CHECK_THROWS_AS(cyclic({.up = 3, .gamma = 0.9}), ValueError);  // only exp_range has a gamma
  CHECK_THROWS_AS(chained({}), ValueError);
  CHECK_THROWS_AS(sequential({constant(), constant(), constant()}, {5, 3}), ValueError);
  CHECK_THROWS_AS(lambda("", [](i64) { return 1.0; }), ValueError);
  CHECK_THROWS_AS(lambda("none", {}), ValueError);
  for (const double bad : {-0.5, std::nan(""), HUGE_VAL}) {
    CHECK_THROWS_AS(linear(3, bad, 1), ValueError);
    CHECK_THROWS_AS(linear(3, 1, bad), ValueError);
    CHECK_THROWS_AS(polynomial(3, bad), ValueError);
    CHECK_THROWS_AS(polynomial(3, 1, bad), ValueError);
    CHECK_THROWS_AS(cosineRestarts(3, 1, bad), ValueError);
    CHECK_THROWS_AS(cyclic({.up = 3, .low = bad}), ValueError);
    CHECK_THROWS_AS(lambda("bad", [=](i64) { return bad; }).factor(0), ValueError);
    CHECK_THROWS_AS(ReduceOnPlateau({.factor = bad}), ValueError);
    CHECK_THROWS_AS(ReduceOnPlateau({.threshold = bad}), ValueError);
    CHECK_THROWS_AS(ReduceOnPlateau({.minFactor = bad}), ValueError);
  }
  CHECK_THROWS_AS(ReduceOnPlateau({.patience = -1}), ValueError);
  CHECK_THROWS_AS(ReduceOnPlateau({.cooldown = -1}), ValueError);
  CHECK_THROWS_AS(ReduceOnPlateau().update(std::nan("")), ValueError);
}

TEST_CASE("restarts go on for ever without overflow, and other curves keep their last value") {
  using namespace ember::optim::schedule;
  const double late = cosineRestarts(3, 5, 0.1).factor(INT64_MAX - 1);
  CHECK((late >= 0.1 && late <= 1));
  CHECK(cosineRestarts(7).factor(7'000'000'000) == 1);
  CHECK(linear(3, 1, 0.5).factor(1000) == 0.5);
  CHECK(polynomial(3, 2, 0.25).factor(1000) == 0.25);
}

TEST_CASE("a composed schedule is described by its parts, one of one's own by its name") {
  using namespace ember::optim::schedule;
  const auto made = [](double gamma) { return chained({linear(5, 0, 1), exponential(gamma)}).description(); };
  CHECK(made(0.5) == made(0.5));
  CHECK(!(made(0.5) == made(0.6)));
  const auto mine = [](const char* name) { return lambda(name, [](i64) { return 1.0; }).description(); };
  CHECK(mine("a") == mine("a"));
  CHECK(!(mine("a") == mine("b")));
}

TEST_CASE("a schedule prints its curve and saves it as a table or a drawing") {
  const Schedule s = schedule::linear(8, 0, 1);
  CHECK(s.text(9, 9, 1) == R"(linear {"steps": 8, "start": 0.0, "end": 1.0})"
                           "\n ▁▂▃▄▅▆▇█\nsteps 0 to 8, at most 1, in the end 1");
  CHECK(fmt::format("{}", s) == s.text());
  CHECK(fmt::format("{:9}", s) == s.text(9));
  const std::string two = schedule::linear(3, 1, 0.5).text(4, 4, 2);
  CHECK(two.find("\n█▅▃ \n████\n") != std::string::npos);
  CHECK(schedule::exponential(0.5).text(1000, 20, 3).find("in the end") != std::string::npos);
  CHECK_THROWS_AS(s.text(5, 0), ValueError);

  const TempFolder folder;
  const auto contentOf = [](const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  };
  s.save(folder / "rates.csv", 3, 0.5);
  CHECK(contentOf(folder / "rates.csv") == "step,lr\n0,0\n1,0.0625\n2,0.125\n");
  s.save(folder / "rates.svg", 9, 0.1);
  const std::string drawing = contentOf(folder / "rates.svg");
  CHECK(drawing.starts_with("<svg xmlns="));
  CHECK(drawing.find("points=\"40.00,280.00 ") != std::string::npos);
  CHECK(drawing.find(" 600.00,40.00\"") != std::string::npos);
  CHECK(drawing.find("linear (lr 0.1)") != std::string::npos);
  CHECK(headlineOf<ValueError>([&] { s.save(folder / "rates.png", 3); }).find("neither in .csv nor in .svg") !=
        std::string::npos);
  CHECK_THROWS_AS(s.save(folder / "rates.csv", 0), ValueError);
  CHECK_THROWS_AS(s.save(folder / "no/such/rates.csv", 3), IoError);
}

TEST_CASE("a plateau's curve is the factors that held, also after its state was restored") {
  optim::ReduceOnPlateau plateau({.factor = 0.5, .patience = 0}), restored({.factor = 0.5, .patience = 0});
  CHECK(plateau.curve().curve(2) == std::vector<double>{1, 1});
  for (const double metric : {3.0, 2.0, 2.5, 1.0, 1.5}) plateau.update(metric);
  const std::vector<double> expected{1, 1, 0.5, 0.5, 0.25, 0.25};
  CHECK(plateau.curve().curve(6) == expected);
  restored.restore(plateau.state());
  CHECK(restored.curve().curve(6) == expected);
  CHECK(fmt::format("{:6}", plateau.curve()).find("plateau") != std::string::npos);
}
