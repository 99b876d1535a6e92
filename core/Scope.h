#pragma once
#include <string>
#include <string_view>

#include <ember/core/DType.h>

namespace ember::core {

/// One step on the way from a root module to the running one; lives on the C++ stack of the forward call.
/// Errors, anomaly reports, traces and random streams read it. Cheap: a few pointers, no allocation.
class ModuleScope {
 public:
  /// What a module says of itself behind its type ("1 -> 32, 5x5"); asked only when a message is made.
  using Details = std::string (*)(const void* module);
  /// `name` under its parent ("" for a root), `typeName` as printed ("Conv2D"), `calls` the module's random call
  /// counter. Unless `trains`, that counter is only read.
  ModuleScope(std::string_view name, const char* typeName, i64* calls, bool trains = true) noexcept;
  /// The same where the type, too, is asked for only when a message is made: the registry's lock and strings took a
  /// tenth of a small layer's time.
  ModuleScope(std::string_view name, Details typeOf, i64* calls, Details describe, const void* module,
              bool trains) noexcept;
  ~ModuleScope();
  ModuleScope(const ModuleScope&) = delete;
  ModuleScope& operator=(const ModuleScope&) = delete;

  /// The innermost scope of this thread, or null.
  static const ModuleScope* current() noexcept;
  i64* calls() const noexcept { return calls_; }
  /// Number of the next draw; calls() is not null. Without training it counts on from the counter within this forward
  /// alone, so that draws of one forward differ and nothing that another thread sees is written.
  i64 nextCall() const noexcept { return trains_ ? (*calls_)++ : *calls_ + drawn_++; }
  std::string type() const { return typeOf_ ? typeOf_(module_) : std::string(type_); }
  /// "features.0" (empty for the root itself).
  std::string path() const;
  void appendPath(std::string& text) const;
  /// Empty without a Details function.
  std::string details() const { return details_ ? details_(module_) : std::string(); }

 private:
  std::string_view name_;
  const char* type_ = nullptr;
  Details typeOf_ = nullptr;
  i64* calls_;
  Details details_ = nullptr;
  const void* module_ = nullptr;
  bool trains_;
  mutable i64 drawn_ = 0;  // scopes are seen by their own thread only
  const ModuleScope* parent_;
};

/// While it lives, this thread computes for the library itself: traces, forward hooks and records of inputs hear
/// nothing of it, draws are those of `seed` from the first on, and no counter of the program's or of a module's moves.
class Unwatched {
 public:
  explicit Unwatched(u64 seed) noexcept;
  ~Unwatched();
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;

  /// The innermost of this thread, or null.
  static Unwatched* current() noexcept;
  u64 seed() const noexcept { return seed_; }
  /// Number of the next draw.
  u64 nextDraw() noexcept { return draws_++; }

 private:
  u64 seed_, draws_ = 0;
  Unwatched* outer_;
};

/// "features.0 (Conv2D)" of the running module, empty outside any forward.
std::string currentModule();
/// Appends `before` and the above to `text`, or nothing outside any forward: every write in place does so, and with a
/// string that has held such a text before it allocates nothing.
void appendCurrentModule(std::string& text, std::string_view before);
/// "features.0 (Conv2D 1 -> 32, 5x5)": with what the module says of itself.
std::string currentModuleInFull();

}  // namespace ember::core
