#pragma once
#include <memory>
#include <string>

#include <ember/core/DType.h>

namespace ember {

namespace core {
struct TraceRecord;
}

/// Where time and memory go: while it lives, every layer and op of the process is timed, forward and backward.
///
///   ember::Trace trace;
///   trainer.run();
///   trace.stop();
///   fmt::print("{}", trace.table());
///   trace.save("trace.json");       // for chrome://tracing or ui.perfetto.dev
///
/// One at a time. Without one, an op pays a relaxed load; with one, 0.1 to 0.3 µs. Convolutions do not wait for what
/// follows then (autograd/Fusion.h), so that each counts where it stands; all other results are the same bits.
/// Times are of the wall clock. A layer's include the layers within it, and its backward is that of the ops which its
/// forward recorded; what is fused counts for the first of the layers. An op that other ops carry out counts as one.
/// `taken` are the bytes that the calling thread took from the allocator meanwhile (most of them recycled), scratch
/// included, whether kept or given back; `output` are the bytes of the results. ember::memory::stats() says how much is
/// in use.
class Trace {
 public:
  struct Options {
    i64 events = 100'000;  ///< that the file may hold, the first ones; the table counts all
  };
  /// Starts. Throws StateError if another one is running.
  Trace();
  explicit Trace(const Options& options);
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

  /// Ends the measurement; what is under way counts no more. start() goes on and adds.
  void stop();
  void start();

  /// Two tables: each layer with calls, forward, backward, share of the traced time and bytes; and each op likewise,
  /// the most expensive first. Milliseconds and MB (1e6 bytes) are totals.
  std::string table() const;
  /// The trace in the trace event format of Chrome: complete events ("ph": "X") in microseconds, layers around their
  /// ops. Throws IoError if the file cannot be written.
  void save(const std::string& path) const;

 private:
  std::shared_ptr<core::TraceRecord> record_;
};

}  // namespace ember
