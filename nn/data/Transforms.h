#pragma once
#include <concepts>
#include <memory>
#include <utility>
#include <vector>

#include <ember/autograd/Tensor.h>
#include <ember/core/Random.h>
#include <ember/core/io/Value.h>

/// Random changes to training pictures. Each is a pure function of the picture and a key made of (seed, epoch, sample),
/// so a resumed run, another batch size or another number of threads sees the same pictures.
namespace ember::data {

/// One picture in memory: channels x height x width floats, row-major, changed in place.
struct Picture {
  float* data = nullptr;
  i64 channels = 0, height = 0, width = 0;
  float* row(i64 c, i64 y) const noexcept { return data + (c * height + y) * width; }
};

/// A change to one picture. Users may write their own: apply() draws from `key` alone (random::uniform(key, 0), ...),
/// keeps no state, and may run on any thread.
class Transform {
 public:
  virtual ~Transform() = default;
  virtual void apply(const Picture& picture, const random::Key& key) const = 0;
  /// The numbers it was made with; with the class name they stand in a saved run, and resume() refuses others.
  virtual Value args() const { return Value::object(); }
  /// {"type": "RandomFlip", "args": {"p": 0.5}}.
  Value description() const;
};

/// (x - mean[c]) / std[c]; one value a channel, or one for all. ValueError unless std > 0.
class Normalize : public Transform {
 public:
  Normalize(std::vector<float> mean, std::vector<float> std);
  void apply(const Picture& picture, const random::Key& key) const override;
  Value args() const override { return {{"mean", mean_}, {"std", std_}}; }

 private:
  std::vector<float> mean_, std_, factor_;
};

/// Pads each side by `padding` pixels of `fill` and cuts a picture of the old size at a random place: a shift by up to
/// `padding` pixels each way, all (2·padding + 1)² of them equally likely. ValueError if padding < 0.
class RandomCrop : public Transform {
 public:
  explicit RandomCrop(i64 padding, float fill = 0);
  void apply(const Picture& picture, const random::Key& key) const override;
  Value args() const override { return {{"padding", padding_}, {"fill", fill_}}; }

 private:
  i64 padding_;
  float fill_;
};

/// Mirrors left and right with probability p. ValueError unless 0 <= p <= 1.
class RandomFlip : public Transform {
 public:
  explicit RandomFlip(double p = 0.5);
  void apply(const Picture& picture, const random::Key& key) const override;
  Value args() const override { return {{"p", p_}}; }

 private:
  double p_;
};

struct RandomEraseOptions {
  double p = 0.5;                               ///< how often a picture loses a rectangle
  double minArea = 0.02, maxArea = 0.33;        ///< of the rectangle, as part of the picture's
  double minAspect = 0.3, maxAspect = 1 / 0.3;  ///< height : width, drawn evenly on a logarithmic scale
  float fill = 0;                               ///< what stands there afterwards
};

/// Overwrites a random rectangle with a constant. A rectangle that does not fit is drawn again, ten times at most, then
/// the picture stays whole. ValueError unless 0 <= p <= 1, 0 < minArea <= maxArea <= 1, 0 < minAspect <= maxAspect.
/// Source: Zhong et al. 2017, arXiv:1708.04896.
class RandomErase : public Transform {
 public:
  explicit RandomErase(const RandomEraseOptions& options = {});
  void apply(const Picture& picture, const random::Key& key) const override;
  Value args() const override;

 private:
  RandomEraseOptions options_;
};

/// Transforms in the order in which they are applied: {RandomCrop(2), RandomFlip(), RandomErase()}.
class Transforms {
 public:
  Transforms() = default;
  template <std::derived_from<Transform>... T>
  Transforms(T... transforms) {
    (add(std::move(transforms)), ...);
  }
  template <std::derived_from<Transform> T>
  void add(T transform) {
    add(std::make_shared<const T>(std::move(transform)));
  }
  void add(std::shared_ptr<const Transform> transform);
  bool empty() const noexcept { return steps_.empty(); }
  /// The descriptions of all, in their order.
  Value description() const;

  /// Changes images [B, C, H, W] (f32, row-major) in place; `samples[b]` and `epoch` stand for picture b in its key:
  /// (seed, "augment.<place in the list>", epoch · 2^40 + sample). Throws ShapeError or DtypeError on other tensors.
  void apply(core::NDArray& images, const std::vector<i64>& samples, u64 seed, i64 epoch) const;

 private:
  struct Step {
    std::shared_ptr<const Transform> transform;
    u64 stream;
  };
  std::vector<Step> steps_;
};

}  // namespace ember::data
