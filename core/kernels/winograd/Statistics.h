#pragma once
#include <ember/core/Scratch.h>
#include <ember/core/kernels/winograd/Tiles.h>

/// Mean and variance of a convolution's output, from sums that are taken while its values are in registers.
///
/// `tilesOfSum` tiles that follow each other make a group, wherever blocks are cut. For each channel it has a centre k,
/// the mean of the first row of its first tile, and the sums of d = y-k and of d^2, in f32: [groups][3][channels], for
/// whole tiles 1.6 % of the output. k is a mean of 4 of at most 192 values, so sum(d^2) is at most 49 times (193 times
/// where that row is cut to one value) the sum of squares about the group's own mean, as BatchStatistics.cpp explains;
/// most often it is less than twice. Groups are added up in f64.
namespace ember::core::winograd {

inline constexpr i64 tilesOfSum = 12;  // as many as the blocks are multiples of

/// An epilogue of transformOut that writes what it gets, and takes the sums.
struct Gathering {
  static constexpr bool tails = false;
  float* sums;
  i64 channels;

  template <int lanes>
  struct Finish {
    using V = Vec<lanes>;
    float* sums;
    i64 channels;
    float* group = nullptr;
    bool first = false;
    V k{}, s1{}, s2{};

    EMBER_INLINE void begin(i64 tile) {
      group = sums + tile / tilesOfSum * 3 * channels;
      first = tile % tilesOfSum == 0;
      if (first) {
        s1 = s2 = V{};
      } else {
        k = load<lanes>(group);
        s1 = load<lanes>(group + channels);
        s2 = load<lanes>(group + 2 * channels);
      }
    }
    template <int outs>
    EMBER_INLINE void row(int i, V (&y)[4], i64 columns, const float*, i64) {
      if (first && i == 0) {
        const V share = broadcast<lanes>(1 / static_cast<float>(columns));  // a sum of huge values would overflow
        k = V{};
        unrolled<outs>([&](auto j) EMBER_SIMD_BODY {
          if (j < columns) k += share * y[j];
        });
        store<lanes>(group, k);
      }
      if constexpr (outs == 4) {
        const V a = y[0] - k, b = y[1] - k, c = y[2] - k, d = y[3] - k;
        s1 += (a + b) + (c + d);
        s2 += a * a;
        s2 += b * b;
        s2 += c * c;
        s2 += d * d;
      } else {
        unrolled<outs>([&](auto j) EMBER_SIMD_BODY {
          if (j >= columns) return;
          const V d = y[j] - k;
          s1 += d;
          s2 += d * d;
        });
      }
    }
    EMBER_INLINE void end() {
      store<lanes>(group + channels, s1);
      store<lanes>(group + 2 * channels, s2);
    }
  };
  template <int lanes>
  EMBER_INLINE Finish<lanes> at(i64 channel) const {
    return {sums + channel, channels};
  }
};

/// The sums of one convolution.
class Sums {
 public:
  explicit Sums(const Geometry& g)
      : geometry_(g),
        memory_(static_cast<std::size_t>((g.tiles() + tilesOfSum - 1) / tilesOfSum * 3 * g.outChannels) *
                sizeof(float)) {}
  Gathering epilogue() const { return {static_cast<float*>(memory_.data()), geometry_.outChannels}; }
  /// Mean and biased variance [outChannels].
  void statistics(double* mean, double* var) const;

 private:
  const Geometry& geometry_;
  Scratch memory_;
};

}  // namespace ember::core::winograd
