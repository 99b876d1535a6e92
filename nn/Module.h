#pragma once
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <ember/autograd/Tensor.h>
#include <ember/core/io/Value.h>
#include <ember/nn/SeenInputs.h>
#include <ember/nn/Summary.h>

namespace ember::nn {

/// Constructor arguments of a module, as they stand in a checkpoint.
using Args = Value;

/// How optimisers and averaging treat a parameter. Whether it trains at all is its requiresGrad().
struct ParameterSettings {
  double lrMultiplier = 1;           ///< times the group's learning rate
  double weightDecayMultiplier = 1;  ///< times the group's weight decay
  bool averaged = true;              ///< part of a weight average (EMA)
};

/// A parameter or buffer with its name; in lists of a whole net the name is the dotted path ("features.0.weight").
struct Parameter {
  std::string name;
  Tensor tensor;
  ParameterSettings settings = {};
};
using Parameters = std::vector<Parameter>;

/// A part of a net: parameters, buffers and child modules, declared once, where they stand.
///
///   struct Residual : nn::Module {
///     explicit Residual(int width) : channels(width) {}
///     int channels;
///     nn::Conv2D& conv = add("conv", nn::Conv2D(channels, channels, {.kernel = 3, .padding = 1}));
///     Tensor forward(const Tensor& x) override { return relu(conv(x)) + x; }
///   };
///
/// That declaration names them, registers them, saves them, prints them. A module owns its children; it moves with them
/// and does not copy (clone() makes a copy). Forward in eval mode under NoGrad may run from many threads on one module;
/// training may not.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(Module&&) = default;
  Module& operator=(Module&&) = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // ---- running ----
  /// The general forward; the default calls the one-tensor form.
  virtual Tensors forward(const Tensors& inputs);
  /// What most modules override. The default throws StateError: a module implements one of the two.
  virtual Tensor forward(const Tensor& input);
  /// Runs forward with the module's path known to errors, random streams, summaries and hooks. StateError if this
  /// module was moved from, or if forward returns an undefined tensor.
  Tensors operator()(const Tensors& inputs);
  Tensor operator()(const Tensor& input);
  Tensor operator()(Tensor&& input);
  /// The same with `body` in place of forward: for containers that run several layers as one.
  Tensors callAs(const Tensors& inputs, const std::function<Tensors()>& body);
  /// Called after every forward of this module with its inputs and outputs.
  using ForwardHook = std::function<void(Module& module, const Tensors& inputs, const Tensors& outputs)>;
  void registerForwardHook(ForwardHook hook) { hooks_.push_back(std::move(hook)); }
  /// Forgets the hook that was registered last.
  void dropForwardHook() { hooks_.pop_back(); }
  bool hasForwardHooks() const noexcept { return !hooks_.empty(); }

  // ---- parts ----
  /// Takes over a child and returns it. ValueError on a name that is empty, taken, longer than 1024 bytes or has a dot
  /// or control character.
  template <class M>
  std::decay_t<M>& add(std::string_view name, M&& child) {
    static_assert(!std::is_lvalue_reference_v<M>,
                  "a module moves into its parent: pass a temporary or std::move(child)");
    auto owned = std::make_unique<std::decay_t<M>>(std::forward<M>(child));
    auto& reference = *owned;
    addChild(name, std::move(owned));
    return reference;
  }
  Module& addChild(std::string_view name, std::unique_ptr<Module> child);
  std::size_t childCount() const noexcept { return children_.size(); }
  /// By position; ValueError out of range.
  Module& child(std::size_t index) const;
  /// By dotted path; ValueError names the nearest.
  Module& child(std::string_view path) const;
  const std::string& name() const noexcept { return name_; }
  /// "Conv2D": the registered name, else the class name.
  std::string typeName() const;

  /// The name it was built with, which Sequential takes instead of its position; empty: none.
  virtual std::string_view preferredName() const { return {}; }

  /// Registers a tensor that training changes (it then requires a gradient) / that is saved but not trained.
  Tensor addParameter(std::string_view name, Tensor value, ParameterSettings settings = {});
  Tensor addBuffer(std::string_view name, Tensor value, ParameterSettings settings = {});

  /// This module's and its descendants', in order of declaration, with dotted names; a tensor that was added in several
  /// places once, under its first name. Throws StateError while a module is pending().
  Parameters namedParameters() const;
  Parameters namedBuffers() const;
  /// The further names of parameters and buffers that were added in several places, each with the first.
  std::vector<std::pair<std::string, std::string>> aliases() const;
  std::vector<std::pair<std::string, Module*>> namedModules() const;
  /// Settings of one parameter by dotted name (any of them), for change before the optimiser is made.
  ParameterSettings& parameterSettings(std::string_view name);
  i64 parameterCount() const;

  // ---- modes ----
  void train(bool on = true) noexcept;
  void eval() noexcept { train(false); }
  bool training() const noexcept { return training_; }
  /// Stops / resumes training of the parameters whose dotted name matches ("features.*"). Returns how many; ValueError
  /// if none.
  int freeze(std::string_view pattern = "*");
  int unfreeze(std::string_view pattern = "*");
  /// Converts parameters and floating buffers to f32 or f64; make optimisers afterwards.
  Module& to(DType dtype);
  void zeroGrad();

  // ---- rebuilding ----
  /// Constructor arguments from which the registered factory makes an equal module. Modules without registration keep
  /// the default.
  virtual Args args() const { return Args::object(); }
  /// {"type": ..., "args": ...} if this and all below can be rebuilt from it, else with "children" and no "args".
  Value architecture() const;
  /// A deep copy: same architecture, values, modes, counters; gradients, hooks and optimisers stay behind. StateError
  /// if a type is not registered.
  std::unique_ptr<Module> clone() const;
  // ---- modules whose tensors come later ----
  /// Whether parameters are still to be made, by the first forward or by load().
  virtual bool pending() const { return false; }
  /// The shape of a tensor that a file holds for this module, by its name here; nothing if there is none.
  using ShapeOf = std::function<std::optional<Shape>(std::string_view name)>;
  /// Makes the tensors of a pending module with a file's shapes; false if they do not say enough.
  virtual bool materialiseFrom(const ShapeOf&) { return false; }
  /// Undoes materialiseFrom().
  virtual void dematerialise() {}
  /// Whether a strict load may pass over a tensor of the file that this module has not, because its values say nothing.
  virtual bool ignoresStored(std::string_view, const core::NDArray&) const { return false; }

  /// Random call counters by path, where not zero (part of a run's state). Training forwards advance them; forwards in
  /// eval mode or on shapes alone, as in summary(), do not.
  std::vector<std::pair<std::string, i64>> streams() const;
  void setStreams(const std::vector<std::pair<std::string, i64>>&);

  /// Shapes and types of the last inputs that this module was called with, not as a part of another: the first axis is
  /// 1 where it is the batch, the same of all inputs and not their only one. What a checkpoint's self-test runs on.
  const SeenInputs& seenInputs() const noexcept { return seen_; }
  void setSeenInputs(SeenInputs inputs) noexcept { seen_ = std::move(inputs); }

  // ---- showing ----
  /// "1 -> 32, 3x3": what stands in brackets behind the type name when printed.
  virtual std::string details() const { return {}; }
  /// The tree of modules, one line each.
  std::string toString() const;
  /// Runs the real forward on a shape-only tensor: layer, output shape, parameters, multiply-adds, bytes. Throws the
  /// ShapeError that data would meet, and StateError if the forward reads values (item(), toVector()).
  Summary summary(const Shape& input, DType dtype = DType::F32);
  /// The same for a module of several inputs, of which shapes and types count: summary(Tensors{...}).
  template <std::same_as<Tensors> T>
  Summary summary(const T& inputs) {
    return summarise(inputs);
  }

 protected:
  /// What clone() copies beyond architecture, tensors and modes: things of this run that no file holds.
  virtual void takeOver(const Module& /*original*/) {}
  /// StateError that says how many tensors came, unless they are `least` to `most` (0: any number).
  void checkInputs(const Tensors& inputs, std::size_t least, std::size_t most) const;
  /// Names a module that stands alone; a parent's add() names it anew.
  void setName(std::string_view name);
  /// Forgets this module's own parameters and buffers.
  void dropTensors() noexcept;
  /// Forgets one of its own parameters, which it has.
  void dropParameter(std::string_view name) noexcept;

 private:
  friend class EvalScope;
  friend class ForwardState;  // puts randomCalls_ back

  /// Tells a module whose parts went to another one by a move.
  struct MoveMark {
    MoveMark() = default;
    MoveMark(MoveMark&& other) noexcept : away(std::exchange(other.away, true)) {}
    MoveMark& operator=(MoveMark&& other) noexcept {
      const bool was = std::exchange(other.away, true);
      away = was;
      return *this;
    }
    bool away = false;
  };

  std::string name_;
  MoveMark moved_;
  std::vector<std::unique_ptr<Module>> children_;
  std::vector<std::unique_ptr<Parameter>> parameters_, buffers_;
  std::vector<ForwardHook> hooks_;
  bool training_ = true;
  i64 randomCalls_ = 0;
  SeenInputs seen_;

  void checkName(std::string_view name) const;
  Summary summarise(const Tensors& inputs);
  template <class Visit>
  void walk(const std::string& prefix, Visit&& visit);
  template <class Visit>
  void walk(const std::string& prefix, Visit&& visit) const;
  template <class Visit>
  void walkTensors(std::vector<std::unique_ptr<Parameter>> Module::*list, Visit&& visit) const;
};

}  // namespace ember::nn
