#pragma once
#include <atomic>
#include <string>
#include <string_view>

#include <ember/core/DType.h>

/// What the code that is traced calls; the trace itself is core/Trace.h.
namespace ember::core {

class TraceSpan;

namespace detail {
extern std::atomic<bool> tracing;
extern constinit thread_local const TraceSpan* innermostSpan;
}  // namespace detail

/// Whether a Trace runs: one relaxed load.
inline bool tracing() noexcept { return detail::tracing.load(std::memory_order_relaxed); }

/// Says to the running trace, and to errors that ask currentOp(), what this thread does from here to the end of the
/// scope. Without a trace it costs one relaxed load and two stores.
class TraceSpan {
 public:
  enum class Kind : u8 {
    Layer,     ///< a module's forward: the innermost ModuleScope says which
    Op,        ///< an op's forward
    Backward,  ///< an op's backward
    Other,     ///< what is neither: an optimiser's step
    Around     ///< what consists of the others, a whole backward: in the file, but in no table
  };
  /// `layer` belongs to Backward: the module in which the op was recorded, as currentModule() called it then.
  explicit TraceSpan(Kind kind, const char* name = "", std::string_view layer = {})
      : open_(tracing()), kind_(kind), name_(name), around_(detail::innermostSpan) {
    detail::innermostSpan = this;
    if (open_) begin(layer);
  }
  ~TraceSpan() {
    detail::innermostSpan = around_;
    if (open_) end();
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;
  /// Adds to the bytes of what it results in.
  void output(i64 bytes) noexcept { outputBytes_ += bytes; }
  /// Whether the trace hears of it: what is only for output() need not be done otherwise.
  bool open() const noexcept { return open_; }

 private:
  friend std::string currentOp();
  void begin(std::string_view layer);
  void end() noexcept;

  bool open_;
  bool outermost_;  // no other span of an op around it on this thread
  Kind kind_;
  int layer_, layerAround_;
  u64 session_;
  i64 outputBytes_ = 0, takenBefore_, began_;
  const char* name_;
  const TraceSpan* around_;
};

/// The innermost op that this thread runs and the one around them all: "conv2d", "pad in backward of slice"; "" outside
/// of any.
std::string currentOp();

}  // namespace ember::core
