#include <ember/nn/SelfTest.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include <ember/core/Error.h>
#include <ember/core/Memory.h>
#include <ember/core/Random.h>
#include <ember/core/Replay.h>
#include <ember/core/Scope.h>
#include <ember/core/Shortage.h>
#include <ember/core/io/Text.h>

namespace ember::nn {

/// Puts a net into eval mode and each of its modules back into its own. Writes nothing where eval mode is on already:
/// other threads may run forwards then.
class EvalScope {
 public:
  explicit EvalScope(const Module& net) {
    for (const auto& [path, module] : net.namedModules()) {
      if (module->training_) trained_.push_back(module);
    }
    set(false);
  }
  ~EvalScope() { set(true); }
  EvalScope(const EvalScope&) = delete;
  EvalScope& operator=(const EvalScope&) = delete;

 private:
  std::vector<Module*> trained_;
  void set(bool on) noexcept {
    for (Module* module : trained_) module->training_ = on;
  }
};

namespace {

constexpr const char* op = "load";
constexpr u64 testSeed = 7;
constexpr i64 maxInputElements = i64{1} << 22, maxInputs = 64, maxNumbers = 16;
constexpr i64 spareBytes = i64{256} << 20;
constexpr double tolerance = 1e-4, leastTolerance = 1e-6;
constexpr double nudge = 1e-6;  // how far the inputs of the second forward are off

/// Draws inputs; those of a nudged test lie a little above.
Tensors drawn(const Tensors& shapes, u64 seed, bool nudged) {
  Tensors inputs;
  for (const Tensor& like : shapes) {
    const random::Key key{seed, inputs.size(), 0};
    std::vector<double> values;
    values.reserve(static_cast<std::size_t>(like.numel()));
    for (i64 i = 0; i < like.numel(); ++i) {
      const double u = random::uniform(key, static_cast<u64>(i));
      values.push_back(!isFloating(like.dtype()) ? (u < 0.5 ? 0 : 1) : nudged ? u * (1 - nudge) + nudge : u);
    }
    inputs.push_back(Tensor(core::NDArray::from<double>(values, like.shape()).to(like.dtype())));
  }
  return inputs;
}

/// The outputs that stand in the file, and what all have in common.
struct Outputs {
  std::vector<double> picked;
  i64 elements = 0;
  double scale = 0;
  bool finite = true;
};

Outputs run(Module& net, const Tensors& inputs, i64 budget) {
  const core::Unwatched unwatched(testSeed);
  const core::Draws none;
  const core::ReplayScope replay(none, true);  // running statistics stay, whatever a layer does in eval mode
  const memory::Budget limit(budget);
  const NoGrad guard;
  const EvalScope eval(net);
  std::vector<double> all;
  for (const Tensor& output : net(inputs)) {
    const std::vector<double> values = output.toVector<double>();
    all.insert(all.end(), values.begin(), values.end());
  }
  Outputs result;
  result.elements = static_cast<i64>(all.size());
  for (const double value : all) {
    result.finite = result.finite && std::isfinite(value);
    result.scale = std::max(result.scale, std::abs(value));
  }
  const i64 count = std::min(maxNumbers, result.elements);
  for (i64 k = 0; k < count; ++k) result.picked.push_back(all[static_cast<std::size_t>(k * result.elements / count)]);
  return result;
}

/// What a forward may take, so that no file makes us take what it does not itself have, beyond a certain amount.
i64 budgetOf(const Module& net) {
  i64 bytes = 0;
  for (const Parameters& list : {net.namedParameters(), net.namedBuffers()}) {
    for (const Parameter& p : list) bytes += p.tensor.numel() * static_cast<i64>(itemSize(p.tensor.dtype()));
  }
  return spareBytes + 8 * bytes;
}

i64 elementsOf(const Tensors& inputs) {
  i64 elements = 0;
  for (const Tensor& t : inputs) elements += t.numel();
  return elements;
}

/// With seven digits, under every locale.
double rounded(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 6).ptr;
  double result = 0;
  std::from_chars(text, end, result);
  return result;
}

Value testOf(const Module& net, const Tensors& inputs) {
  if (inputs.empty() || static_cast<i64>(inputs.size()) > maxInputs) return {};
  if (elementsOf(inputs) > maxInputElements) return {};
  // A forward is not const, but this one leaves the module as it was.
  Module& module = const_cast<Module&>(net);
  const i64 budget = budgetOf(net);
  const Outputs first = run(module, drawn(inputs, testSeed, false), budget);
  const Outputs second = run(module, drawn(inputs, testSeed, true), budget);
  if (first.elements == 0 || first.elements != second.elements || !first.finite || !second.finite) return {};
  // A net that jumps, or multiplies small differences, would be refused on a CPU that rounds otherwise.
  const double most = std::max(tolerance * first.scale, leastTolerance) / 4;
  if (!(std::abs(first.scale - second.scale) <= most)) return {};
  for (std::size_t k = 0; k < first.picked.size(); ++k) {
    if (!(std::abs(first.picked[k] - second.picked[k]) <= most)) return {};
  }
  Value shapes = Value::array(), numbers = Value::array();
  for (const Tensor& t : inputs) shapes.push({{"dtype", name(t.dtype())}, {"shape", t.shape().vector()}});
  for (const double value : first.picked) numbers.push(rounded(value));
  return {{"input_seed", Value::counter(testSeed)},
          {"inputs", std::move(shapes)},
          {"elements", first.elements},
          {"scale", rounded(first.scale)},
          {"outputs", std::move(numbers)}};
}

[[noreturn]] void malformed(const std::string& file, const std::string& reason) {
  throw IoError(op, io::inQuotes(file) + ": \"self_test\" makes no sense", {{"reason", reason}},
                "nothing was loaded; the file is damaged: take another copy, or set selfTest = false");
}

}  // namespace

Value selfTestOf(const Module& net, const Tensors& inputs) {
  try {
    return testOf(net, inputs.empty() ? net.seenInputs().get() : inputs);
  } catch (...) {
    memory::passShortage();
    return {};  // a net that cannot run is saved all the same
  }
}

Tensors selfTestInputs(const Value& test, const std::string& file) {
  Tensors inputs;
  try {
    const auto& list = test.at("inputs").elements();
    if (list.empty() || static_cast<i64>(list.size()) > maxInputs)
      malformed(file, "it has " + std::to_string(list.size()) + " inputs, expected 1 to " + std::to_string(maxInputs));
    for (const Value& entry : list) {
      inputs.push_back(Tensor::shapeOnly(Shape(entry.get<std::vector<i64>>("shape")),
                                         dtypeFromName(entry.get<std::string>("dtype"))));
      if (inputs.back().numel() > maxInputElements || elementsOf(inputs) > maxInputElements) {
        malformed(file, "its inputs have more than " + std::to_string(maxInputElements) + " elements");
      }
    }
  } catch (const IoError&) {
    throw;
  } catch (const Error& error) {
    malformed(file, error.headline());
  }
  return inputs;
}

void checkSelfTest(const Value& test, Module& net, const std::string& file) {
  const Tensors shapes = selfTestInputs(test, file);
  std::vector<double> expected;
  i64 elements = 0;
  double scale = 0;
  u64 seed = 0;
  try {
    expected = test.get<std::vector<double>>("outputs");
    elements = test.get<i64>("elements");
    scale = test.get<double>("scale");
    seed = test.get<u64>("input_seed");
  } catch (const Error& error) {
    malformed(file, error.headline());
  }
  if (expected.empty() || !(scale >= 0) || !std::isfinite(scale)) malformed(file, "it has no outputs or no scale");

  Outputs now;
  try {
    now = run(net, drawn(shapes, seed, false), 2 * budgetOf(net));
  } catch (const std::exception& error) {
    memory::passShortage();
    const std::string text = error.what();
    throw IoError(op, io::inQuotes(file) + ": its self-test cannot be run",
                  {{"reason", text.substr(0, text.find('\n'))}},
                  "nothing was loaded; build the net as it was saved, or set selfTest = false");
  }
  const std::string what = io::inQuotes(file) + ": the net does not compute what it computed when it was saved";
  const char* help =
      "nothing was loaded; values or layers in the file were changed, or the code of a module was: take another copy, "
      "or set selfTest = false";
  if (now.elements != elements || now.picked.size() != expected.size()) {
    throw IoError(
        op, what,
        {{"outputs", std::to_string(elements) + " numbers when saved, " + std::to_string(now.elements) + " now"}},
        help);
  }
  const double allowed = std::max(tolerance * scale, leastTolerance);
  std::size_t wrong = 0, worst = 0;
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const auto off = [&](std::size_t i) { return std::abs(now.picked[i] - expected[i]); };
    if (off(k) <= allowed) continue;
    if (wrong++ == 0 || !(off(k) <= off(worst))) worst = k;
  }
  // The file says how far outputs may be off, as a share of the largest: so that must be what it was, too.
  const bool scaled = now.finite && std::abs(now.scale - scale) <= 10 * allowed;
  if (wrong == 0 && scaled) return;
  if (wrong == 0) {
    throw IoError(op, what,
                  {{"largest", Value(scale).dump() + " when saved, " + Value(rounded(now.scale)).dump() + " now" +
                                   (now.finite ? "" : ", beside what is not finite")}},
                  help);
  }
  const i64 position = static_cast<i64>(worst) * elements / static_cast<i64>(expected.size());
  throw IoError(
      op, what,
      {{"output", std::to_string(position) + " of " + std::to_string(elements) + ": " + Value(expected[worst]).dump() +
                      " when saved, " + Value(rounded(now.picked[worst])).dump() + " now; they may differ by " +
                      Value(rounded(allowed)).dump()},
       {"wrong", std::to_string(wrong) + " of " + std::to_string(expected.size()) + " that were saved"}},
      help);
}

}  // namespace ember::nn
