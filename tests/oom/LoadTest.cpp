#include <doctest/doctest.h>

#include <ember/nn/Checkpoint.h>
#include <ember/nn/layers/Layers.h>

#include "oom/Run.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::test;

namespace {

RunOptions shortRun() {
  RunOptions options;
  options.samples = 40;
  return options;
}

}  // namespace

TEST_CASE("(P12) a resume that fails changes nothing") {
  const TempFolder folder;
  Run run(shortRun());
  const std::string early = folder / "early.json", late = folder / "late.json";
  run.step();
  run.trainer.save(early);
  for (int i = 0; i < 11; ++i) run.step();  // into the second epoch
  run.trainer.save(late);
  const std::string expected = run.state();
  refuseEach("Trainer.resume", {.prepare = [&] { run.trainer.resume(early); },
                                .call = [&] { run.trainer.resume(late); },
                                .state = [&] { return run.state(); },
                                .expected = [&] { return expected; }});
}

TEST_CASE("(P12) a load that fails leaves the net as it was") {
  const TempFolder folder;
  Run run(shortRun());
  const std::string early = folder / "early.json", late = folder / "late.json";
  run.step();
  save(early, *run.net);
  run.step();
  save(late, *run.net);
  const std::string expected = bytesOf(*run.net);
  refuseEach("load into a net", {.prepare = [&] { load(early, *run.net); },
                                 .call = [&] { load(late, *run.net); },
                                 .state = [&] { return bytesOf(*run.net); },
                                 .expected = [&] { return expected; }});
}

TEST_CASE("(P12) a load that fails leaves layers without tensors as they were") {
  const TempFolder folder;
  const std::string path = folder / "net.json";
  const nn::Sequential saved(nn::Conv2D(1, 2, {.kernel = 3}), nn::BatchNorm2D(2));
  save(path, saved);
  std::unique_ptr<nn::Module> net;
  const auto tensors = [&] {
    std::string text;
    for (const auto& [name, module] : net->namedModules()) text += name + (module->pending() ? " pending," : " whole,");
    return text;
  };
  refuseEach("load of shapes", {.prepare =
                                    [&] {
                                      net = std::make_unique<nn::Sequential>(nn::Conv2D(1, 2, {.kernel = 3}),
                                                                             nn::BatchNorm2D(2, {.empty = true}));
                                    },
                                .call = [&] { load(path, *net); },
                                .state = tensors,
                                .expected = [&] { return std::string(" whole,0 whole,1 whole,"); }});
}

TEST_CASE("(P12) a net that cannot be made from its file leaves nothing behind") {
  const TempFolder folder;
  const std::string path = folder / "net.json";
  nn::Sequential saved(nn::Conv2D(1, 2, {.kernel = 3}), nn::BatchNorm2D(2), nn::Flatten(), nn::Linear(32, 3));
  save(path, saved);
  const std::string expected = bytesOf(saved);
  std::unique_ptr<nn::Module> net;
  refuseEach("nn::load", {.prepare = [&] { net.reset(); },
                          .call = [&] { net = nn::load(path); },
                          .state = [&] { return net ? bytesOf(*net) : std::string(); },
                          .expected = [&] { return expected; }});
}
