#include <doctest/doctest.h>

#include <ember/nn/SummaryRecorder.h>
#include <ember/nn/layers/Layers.h>

#include "oom/Run.h"

using namespace ember;
using namespace ember::test;

TEST_CASE("(P12) an evaluation that fails puts weights, averages and modes back") {
  Run run;
  run.step();
  run.step();
  const data::TensorDataset some = smallData(10);
  const optim::Evaluation right = run.trainer.evaluate(some);
  optim::Evaluation found;
  refuseEach("Trainer.evaluate", {.prepare = [&] { found = {}; },
                                  .call = [&] { found = run.trainer.evaluate(some); },
                                  .state = [&] { return run.state() + std::to_string(found.loss); },
                                  .expected = [&] { return run.state() + std::to_string(right.loss); }});
  CHECK(found.accuracy == right.accuracy);
}

TEST_CASE("(P12) a summary that fails leaves the net as it was") {
  const std::unique_ptr<nn::Module> net = smallNet();
  const std::string right = net->summary({2, 1, 6, 6}).text();
  std::string text;
  refuseEach("summary", {.prepare = [&] { text.clear(); },
                         .call =
                             [&] {
                               text = net->summary({2, 1, 6, 6}).text();
                             },
                         .state =
                             [&] { return bytesOf(*net) + text + (nn::SummaryRecorder::recording() ? "records" : ""); },
                         .expected = [&] { return bytesOf(*net) + right; }});
}

TEST_CASE("(P12) a clone that fails leaves nothing behind") {
  nn::Sequential net(nn::Conv2D(1, 2, {.kernel = 3}), nn::BatchNorm2D(2), nn::Flatten(), nn::Linear(32, 3));
  std::unique_ptr<nn::Module> copy;
  refuseEach("clone", {.prepare = [&] { copy.reset(); },
                       .call = [&] { copy = net.clone(); },
                       .state = [&] { return copy ? bytesOf(*copy) : std::string(); },
                       .expected = [&] { return bytesOf(net); }});
}
