// soak --minutes M | --rounds N: trains, saves, loads, resumes and reads data in a loop, in a folder that it fills in the
// present one, and watches what the process holds meanwhile. Exit code 1 if it holds more and more.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <ember/core/Error.h>
#include <ember/ember.h>
#include <unistd.h>

using namespace ember;

namespace {

/// What the process holds.
struct Held {
  double residentKb = 0;
  i64 descriptors = 0, threads = 0;
};

Held held() {
  Held now;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmRSS:") status >> now.residentKb;
    if (word == "Threads:") status >> now.threads;
  }
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++now.descriptors;
  return now;
}

[[noreturn]] void wrong(const std::string& what) {
  std::fprintf(stderr, "soak: %s\n", what.c_str());
  std::exit(1);
}

void writeIdx(const std::string& path, const std::vector<u32>& sizes, const std::string& elements) {
  std::ofstream file(path, std::ios::binary);
  file.put(0).put(0).put(8).put(static_cast<char>(sizes.size()));
  for (const u32 size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>(size >> shift & 255));
  file << elements;
}

/// A data set in the names and sizes of Fashion-MNIST, of 96 pictures.
void makeData() {
  constexpr u32 count = 96;
  std::string images, labels;
  for (u32 i = 0; i < count; ++i) {
    labels += static_cast<char>(i % 10);
    for (u32 k = 0; k < 28 * 28; ++k) images += static_cast<char>((i % 10) * (k % 28) * 9 + i);
  }
  writeIdx("train-images-idx3-ubyte", {count, 28, 28}, images);
  writeIdx("train-labels-idx1-ubyte", {count}, labels);
}

nn::Sequential makeNet() {
  return nn::Sequential(nn::Conv2D(1, 4, {.kernel = 3, .padding = 1, .bias = false}), nn::BatchNorm2D(4), nn::ReLU(),
                        nn::MaxPool2D({.kernel = 2}), nn::Dropout(0.2), nn::Flatten(), nn::Linear(4 * 14 * 14, 10));
}

/// A run of its own: net, optimiser, trainer.
struct Run {
  Run(const data::Dataset& data, i64 round) : net(makeNet()) {
    if (round % 2 == 0)
      optimizer = std::make_unique<optim::SGD>(net.namedParameters(), optim::SGDOptions{.lr = 0.02, .momentum = 0.9});
    else
      optimizer = std::make_unique<optim::Adam>(net.namedParameters(), optim::AdamOptions{.lr = 0.002});
    trainer = std::make_unique<optim::Trainer>(
        net, *optimizer, data,
        optim::TrainerOptions{.epochs = 2, .batchSize = 16, .seed = 7, .emaDecay = round % 3 == 0 ? 0.9 : 0.0,
                              .transforms = {data::RandomCrop(2), data::RandomFlip()}});
  }
  nn::Sequential net;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::unique_ptr<optim::Trainer> trainer;
};

/// One of everything. Whether it was right is for other tests; here it only must not be nonsense.
void round(i64 number) {
  const auto data = data::fashionMnist("train", {.dir = "."});
  Run first(data, number), second(data, number);
  optim::AutoSave saves(*first.trainer, "run.json");  // locks the folder, too
  for (int i = 0; i < 3; ++i) first.trainer->step();
  if (!saves.save()) wrong("a run cannot be saved: " + saves.lastFailure());
  const auto found = optim::newestRun("run.json");
  if (!found || found->step != 3) wrong("a saved run is not found");
  second.trainer->resume(found->path);
  const double loss = first.trainer->step().loss;
  if (loss != second.trainer->step().loss) wrong("a resumed run goes another way");
  if (!second.trainer->run()) wrong("a run does not end");

  save("net.json", second.net, {.readable = number % 4 == 0});
  const auto loaded = nn::load("net.json");
  load("net.json", first.net);
  if (optim::evaluate(*loaded, data).loss != optim::evaluate(second.net, data).loss)
    wrong("a loaded net is another one");

  for (auto [images, labels] : data::Loader(data, {.batchSize = 10, .shuffle = true, .epoch = number % 1000})) {
    if (labels.size(0) > 8 && number % 5 == 0) break;  // a loop that ends early ends its thread too
  }
  std::filesystem::resize_file("net.json", std::filesystem::file_size("net.json") / 2);
  try {
    nn::load("net.json");
    wrong("half a file is loaded");
  } catch (const IoError&) {
  }
}

/// The slope of a line through (i, y[i]), least squares.
double slope(const std::vector<double>& y) {
  const double n = static_cast<double>(y.size());
  double sumX = 0, sumY = 0, sumXX = 0, sumXY = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    const double x = static_cast<double>(i);
    sumX += x, sumY += y[i], sumXX += x * x, sumXY += x * y[i];
  }
  return (n * sumXY - sumX * sumY) / (n * sumXX - sumX * sumX);
}

/// What a round may leave behind on average. The smallest thing that a round could lose whole, a net's batch norm with
/// its tensors, has more than a kilobyte. In short runs a few pages weigh more than that: 128 kB in all are left to the
/// allocator's unrest (an hour without a leak has had 80).
constexpr double allowedKbPerRound = 0.25, allowedKbInAll = 128;

int verdict(const std::vector<double>& resident, const Held& warm, const Held& end) {
  const std::size_t skipped = resident.size() / 3;  // caches and the allocator's pools fill
  const std::vector<double> tail(resident.begin() + static_cast<std::ptrdiff_t>(skipped), resident.end());
  const double perRound = slope(tail), inAll = perRound * static_cast<double>(tail.size());
  const bool flat = inAll <= allowedKbInAll || perRound <= allowedKbPerRound;
  const bool closed = end.descriptors <= warm.descriptors, joined = end.threads <= warm.threads;
  std::printf("memory      %s: %+.3f kB a round over the last %zu of %zu rounds, %+.0f kB in all (%.0f kB resident)\n",
              flat ? "flat" : "GROWS", perRound, tail.size(), resident.size(), inAll, end.residentKb);
  std::printf("descriptors %s: %lld after warming up, %lld at the end\n", closed ? "flat" : "GROW",
              static_cast<long long>(warm.descriptors), static_cast<long long>(end.descriptors));
  std::printf("threads     %s: %lld after warming up, %lld at the end\n", joined ? "flat" : "GROW",
              static_cast<long long>(warm.threads), static_cast<long long>(end.threads));
  return flat && closed && joined ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string unit = argc == 3 ? argv[1] : "";
  const long amount = argc == 3 ? std::strtol(argv[2], nullptr, 10) : 0;
  if ((unit != "--minutes" && unit != "--rounds") || amount < 1 || (unit == "--rounds" && amount < 12)) {
    std::fprintf(stderr, "usage: soak --minutes M | --rounds N   (12 rounds or more)\n");
    return 2;
  }
  using Clock = std::chrono::steady_clock;
  const auto began = Clock::now();
  const auto minutes = [&] { return std::chrono::duration<double>(Clock::now() - began).count() / 60; };
  std::vector<double> resident;
  Held warm;
  double said = 0;
  try {
    makeData();
    while (unit == "--rounds" ? resident.size() < static_cast<std::size_t>(amount)
                              : minutes() < static_cast<double>(amount) || resident.size() < 12) {
      round(static_cast<i64>(resident.size()));
      const Held now = held();
      resident.push_back(now.residentKb);
      if (resident.size() == 4) warm = now;
      if (minutes() < said + 1) continue;
      said = minutes();
      std::printf("%5.1f min  %7zu rounds  %8.0f kB  %lld descriptors  %lld threads\n", said, resident.size(),
                  now.residentKb, static_cast<long long>(now.descriptors), static_cast<long long>(now.threads));
      std::fflush(stdout);
    }
  } catch (const std::exception& error) {
    wrong(error.what());
  }
  return verdict(resident, warm, held());
}
