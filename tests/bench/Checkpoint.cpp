// Saving and loading 10 M f32 parameters as a checkpoint, against the same numbers as raw binary and through nlohmann's
// DOM (base64 strings, decimal arrays): medians, and ratios to raw. Every writer ends with fsync; what is read was just
// written, so it comes from memory. Run it alone: <build>/bench/Checkpoint [MILLIONS [ROUNDS]]; files go to the present
// folder and are removed.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <ember/core/Random.h>
#include <ember/core/io/Base64.h>
#include <ember/core/io/Checkpoint.h>

using namespace ember;
using nlohmann::json;

namespace {

const std::string path = "checkpoint-bench.tmp";
constexpr i64 tensors = 20;

void require(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(what);
}

/// Several pieces to one file, and to the disk.
class RawFile {
 public:
  RawFile() : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    require(fd_ >= 0, "cannot write here");
  }
  ~RawFile() { ::close(fd_); }
  void write(const void* bytes, std::size_t count) {
    const auto* at = static_cast<const char*>(bytes);
    while (count > 0) {
      const ssize_t done = ::write(fd_, at, count);
      require(done > 0, "cannot write");
      at += done;
      count -= static_cast<std::size_t>(done);
    }
  }
  void sync() { require(::fsync(fd_) == 0, "cannot sync"); }

 private:
  int fd_;
};

void writeText(const std::string& text) {
  RawFile file;
  file.write(text.data(), text.size());
  file.sync();
}

/// Reads the file in pieces: fill(0), fill(1), ... say where the next goes, until one is empty.
template <class Fill>
void readRaw(Fill&& fill) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(fd >= 0, "cannot open");
  for (std::size_t piece = 0;; ++piece) {
    auto [at, count] = fill(piece);
    if (count == 0) break;
    while (count > 0) {
      const ssize_t got = ::read(fd, at, count);
      require(got > 0, "cannot read");
      at += got;
      count -= static_cast<std::size_t>(got);
    }
  }
  ::close(fd);
}

std::string readText() {
  std::string text(std::filesystem::file_size(path), '\0');
  readRaw([&](std::size_t piece) { return std::pair(text.data(), piece == 0 ? text.size() : 0); });
  return text;
}

struct Way {
  const char* name;
  std::function<void()> save, load;
  std::vector<double> saves = {}, loads = {};
  double megabytes = 0;
};

double milliseconds(const std::function<void()>& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const i64 count = (argc > 1 ? std::atoll(argv[1]) : 10) * 1'000'000 / tensors;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 3;
  if (count < 1 || rounds < 1) {
    std::fprintf(stderr, "usage: Checkpoint [MILLIONS [ROUNDS]]\n");
    return 2;
  }
  io::Checkpoint checkpoint;
  for (i64 t = 0; t < tensors; ++t) {
    const core::NDArray array = core::NDArray::empty({count}, DType::F32);
    for (i64 i = 0; i < count; ++i) {
      const auto place = static_cast<u64>(i);
      array.data<float>()[i] = 0.05f * static_cast<float>(random::normal({1, static_cast<u64>(t), 0}, place));
    }
    checkpoint.tensors.push_back({"layer" + std::to_string(t) + ".weight", "param", array});
  }
  const auto bytes = static_cast<std::size_t>(count) * sizeof(float);

  const auto saveDom = [&](auto&& element) {
    json document = json::object();
    for (const io::CheckpointTensor& tensor : checkpoint.tensors)
      document[tensor.name] = element(tensor.array.data<float>());
    writeText(document.dump());
  };
  const auto loadDom = [&](auto&& fill) {
    const json document = json::parse(readText());
    std::vector<std::vector<float>> values;
    for (const auto& member : document.items()) {
      values.emplace_back(static_cast<std::size_t>(count));
      fill(member.value(), values.back());
    }
    require(values[0][1] == checkpoint.tensors[0].array.data<float>()[1], "another value came back");
  };

  std::vector<Way> ways;
  ways.push_back({"raw binary",
                  [&] {
                    RawFile file;
                    for (const auto& tensor : checkpoint.tensors) file.write(tensor.array.raw(), bytes);
                    file.sync();
                  },
                  [&] {
                    std::vector<std::vector<float>> values;
                    readRaw([&](std::size_t piece) {
                      if (piece == tensors) return std::pair<char*, std::size_t>(nullptr, 0);
                      values.emplace_back(static_cast<std::size_t>(count));
                      return std::pair(reinterpret_cast<char*>(values.back().data()), bytes);
                    });
                  }});
  ways.push_back({"checkpoint", [&] { io::writeCheckpoint(path, checkpoint, {.keepPrevious = false}); },
                  [&] { require(io::readCheckpoint(path).tensors.size() == tensors, "tensors are missing"); }});
  ways.push_back({"checkpoint, decimal",
                  [&] {
                    const io::CheckpointOptions options{.readable = true, .decimalLimit = count, .keepPrevious = false};
                    io::writeCheckpoint(path, checkpoint, options);
                  },
                  [&] { require(io::readCheckpoint(path).tensors.size() == tensors, "tensors are missing"); }});
  ways.push_back({"nlohmann DOM, base64",
                  [&] {
                    saveDom([&](const float* values) {
                      std::string text;
                      io::appendBase64(text, values, bytes);
                      return text;
                    });
                  },
                  [&] {
                    loadDom([&](const json& value, std::vector<float>& to) {
                      io::decodeBase64(value.get_ref<const std::string&>(), to.data(), bytes);
                    });
                  }});
  ways.push_back(
      {"nlohmann DOM, decimal",
       [&] { saveDom([&](const float* values) { return std::vector<float>(values, values + count); }); },
       [&] { loadDom([&](const json& value, std::vector<float>& to) { to = value.get<std::vector<float>>(); }); }});
  try {
    for (int round = 0; round < rounds; ++round) {
      for (Way& way : ways) {
        way.saves.push_back(milliseconds(way.save));
        way.megabytes = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
        way.loads.push_back(milliseconds(way.load));
        std::filesystem::remove(path);
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::filesystem::remove(path);
    return 1;
  }
  std::printf("%lld f32 parameters, median of %d rounds\n%-24s %8s %10s %7s %10s %7s\n",
              static_cast<long long>(count * tensors), rounds, "", "MB", "save ms", "ratio", "load ms", "ratio");
  for (const Way& way : ways) {
    const double save = median(way.saves), load = median(way.loads);
    std::printf("%-24s %8.1f %10.1f %7.2f %10.1f %7.2f\n", way.name, way.megabytes, save, save / median(ways[0].saves),
                load, load / median(ways[0].loads));
  }
}
