#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ember/core/io/Value.h>
#include <ember/nn/Module.h>

namespace ember::optim {

/// Parameters whose dotted name matches `pattern` get their own learning rate and weight decay; the first match wins.
///   {.groups = {{.pattern = "*.bias", .weightDecay = 0}, {.pattern = "features.*", .lr = 0.01}}}
struct Group {
  std::string pattern = "*";
  std::optional<double> lr = {};
  std::optional<double> weightDecay = {};
};

/// Changes parameters against their gradients. Holds handles on the parameters and its slots (momentum, ...), keyed by
/// parameter name. A parameter without a gradient, or frozen, is left alone. Not thread-safe.
///
/// The learning rate of a parameter at a step is  group's lr · schedule factor · the parameter's lrMultiplier.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One step, in one parallel region over all parameters.
  void step();
  /// Marks all gradients absent.
  void zeroGrad();

  /// What a schedule multiplies every learning rate with; 1 at first.
  void setLrFactor(double factor);
  double lrFactor() const noexcept { return lrFactor_; }
  double baseLr() const noexcept { return lr_; }
  /// Steps taken.
  i64 steps() const noexcept { return steps_; }
  const nn::Parameters& parameters() const noexcept { return parameters_; }

  /// "SGD": the row of Optim.def.
  virtual std::string typeName() const = 0;
  /// What it was made with beside rates and groups (momentum, betas ...); must agree between a checkpoint and this
  /// optimiser.
  virtual Value options() const = 0;
  /// {"type", "step", "lr", "lr_factor", "options", "parameters": [{"name", "lr", "weight_decay", "step"}]}: all but
  /// the slots.
  Value state() const;
  /// Slots as "momentum/conv1.weight".
  nn::Parameters namedSlots() const;
  /// Throws ValueError, before anything changes, unless `state` is of this type, with these options, parameter names
  /// and rates. It names `file` if there is one.
  void checkState(const Value& state, const std::string& file = {}) const;
  /// Takes over step counts and learning-rate factor of a checked state; slots are written by their handles.
  void restore(const Value& state);

 protected:
  /// Throws ValueError on an empty list, a parameter given twice, or numbers out of range.
  Optimizer(nn::Parameters parameters, double lr, double weightDecay, std::vector<Group> groups,
            std::vector<std::string> slotNames);

  /// One run of elements of one parameter, all arrays dense and of one type, f32 or f64.
  struct Chunk {
    void* value;
    const void* gradient;
    void* slots[3];
    i64 count;
    double lr, weightDecay;
    i64 step;  ///< of this parameter, 1 at its first update
    DType dtype;
    double stepValue;  ///< stepValue(step)
  };
  /// The same with its arrays as T.
  template <class T>
  struct ChunkOf {
    using Element = T;
    T* value;
    const T* gradient;
    T* slots[3];
    i64 count;
    T lr, weightDecay;
  };
  /// Changes value and slots; called for several chunks at once. An optimiser is one kernel template:
  ///   void SGD::update(const Chunk& c) const { typed(c, [&](auto chunk) { sgd(chunk, ...); }); }
  virtual void update(const Chunk&) const = 0;
  /// What update() needs of a parameter's step count alone and is too dear to be worked out for each chunk.
  virtual double stepValue(i64 /*step*/) const { return 0; }
  /// Calls f with the chunk as ChunkOf<float> or ChunkOf<double>.
  template <class F>
  static void typed(const Chunk& c, F&& f) {
    const auto call = [&](auto zero) {
      using T = decltype(zero);
      const auto as = [](void* array) { return static_cast<T*>(array); };
      f(ChunkOf<T>{as(c.value),
                   static_cast<const T*>(c.gradient),
                   {as(c.slots[0]), as(c.slots[1]), as(c.slots[2])},
                   c.count,
                   static_cast<T>(c.lr),
                   static_cast<T>(c.weightDecay)});
    };
    if (c.dtype == DType::F32) call(float{});
    else call(double{});
  }
  static void require(bool holds, const char* op, const char* what, double got);
  static void requireShare(const char* op, const char* name, double got);     ///< in [0, 1)
  static void requirePositive(const char* op, const char* name, double got);  ///< above 0 and finite

 private:
  struct State {
    double lr, weightDecay;
    i64 step = 0;
    std::vector<Tensor> slots;
  };
  nn::Parameters parameters_;
  std::vector<State> states_;
  std::vector<std::string> slotNames_;
  std::vector<Group> groups_;
  double lr_, lrFactor_ = 1;
  i64 steps_ = 0;
};

}  // namespace ember::optim
