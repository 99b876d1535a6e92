#pragma once
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <ember/core/TraceSpan.h>

/// What a trace has gathered; for core/Trace*.cpp only.
namespace ember::core {

struct TraceTotals {
  i64 calls = 0, forwardNs = 0, backwardNs = 0, takenBytes = 0, outputBytes = 0;
};

struct TraceLayer {
  std::string label;  ///< "features.0 (Conv2D)", which tells it from others
  std::string name;   ///< "features.0"; empty for a root
  std::string type;   ///< "Conv2D 1 -> 32, 5x5"
  int parent = -1;
  bool ran = false;  ///< else only a backward has named it
  TraceTotals totals{};
};

struct TraceEvent {
  TraceSpan::Kind kind;
  int name;   ///< in `names`, unless it is a layer
  int layer;  ///< the layer itself, or the one that a backward belongs to; or -1
  int thread;
  int run;              ///< counts what is Around on this thread
  i64 beganNs, tookNs;  ///< since the record was made
  i64 takenBytes, outputBytes;
};

struct TraceRecord {
  mutable std::mutex mutex;
  std::vector<TraceLayer> layers;
  std::map<std::string, int, std::less<>> layersByLabel;
  std::vector<std::string> names;
  std::vector<TraceTotals> totals;  ///< of the ops, beside `names`
  std::map<std::string, int, std::less<>> namesByText;
  std::vector<TraceEvent> events;
  i64 maxEvents = 0, droppedEvents = 0;
  i64 madeNs = 0, startedNs = 0, tracedNs = 0;
  bool running = false;
  u64 session = 0;  ///< another one after each start

  int nameOf(std::string_view text);
  /// The layer with that label, added if it is new.
  int layerOf(std::string_view label);
};

i64 traceClockNs() noexcept;

}  // namespace ember::core
