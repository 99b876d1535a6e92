// How a trace is shown: as tables, and as a file for Chrome's viewer.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include <ember/core/Trace.h>
#include <ember/core/TraceRecord.h>
#include <ember/core/io/ReportFile.h>

namespace ember {
namespace {

using core::TraceEvent;
using core::TraceLayer;
using core::TraceRecord;
using core::TraceTotals;
using Kind = core::TraceSpan::Kind;

double ms(i64 ns) { return 1e-6 * static_cast<double>(ns); }

struct Row {
  std::string name;
  const TraceTotals* totals;
};

std::string tableOf(const char* title, const std::vector<Row>& rows, i64 tracedNs) {
  std::size_t width = 24;
  for (const Row& row : rows) width = std::max(width, row.name.size());
  std::string text = fmt::format("{:<{}}{:>8}{:>13}{:>13}{:>9}{:>12}{:>12}\n", title, width, "calls", "forward ms",
                                 "backward ms", "share", "taken MB", "output MB");
  for (const Row& row : rows) {
    const TraceTotals& t = *row.totals;
    const double share =
        tracedNs > 0 ? 100 * static_cast<double>(t.forwardNs + t.backwardNs) / static_cast<double>(tracedNs) : 0;
    text += fmt::format("{:<{}}{:>8}{:>13.3f}{:>13.3f}{:>7.1f} %{:>12.2f}{:>12.2f}\n", row.name, width, t.calls,
                        ms(t.forwardNs), ms(t.backwardNs), share, 1e-6 * static_cast<double>(t.takenBytes),
                        1e-6 * static_cast<double>(t.outputBytes));
  }
  return text;
}

/// Each layer behind the one around it, deeper ones further to the right.
void addLayers(const std::vector<TraceLayer>& layers, int parent, int depth, std::vector<Row>& rows) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const TraceLayer& layer = layers[i];
    if (layer.parent != parent) continue;
    const std::string name = layer.name.empty() ? layer.type : layer.name + "  " + layer.type;
    rows.push_back({std::string(static_cast<std::size_t>(2 * depth), ' ') + name, &layer.totals});
    addLayers(layers, static_cast<int>(i), depth + 1, rows);
  }
}

/// Consecutive backwards of one layer in one run on one thread as one span around them.
std::vector<TraceEvent> backwardLayers(const std::vector<TraceEvent>& events) {
  std::vector<const TraceEvent*> order;
  for (const TraceEvent& event : events) {
    if (event.kind == Kind::Backward) order.push_back(&event);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return a->thread != b->thread ? a->thread < b->thread : a->beganNs < b->beganNs;
  });
  std::vector<TraceEvent> spans;
  for (const TraceEvent* event : order) {
    if (!spans.empty() && spans.back().layer == event->layer && spans.back().thread == event->thread &&
        spans.back().run == event->run) {
      TraceEvent& span = spans.back();
      span.tookNs = std::max(span.tookNs, event->beganNs + event->tookNs - span.beganNs);
      span.takenBytes += event->takenBytes;
      span.outputBytes += event->outputBytes;
    } else {
      spans.push_back(*event);
    }
  }
  std::erase_if(spans, [](const TraceEvent& span) { return span.layer < 0; });
  return spans;
}

std::string jsonOf(const TraceEvent& event, const std::string& name, const char* category, const std::string& layer) {
  std::string text = "{\"name\":";
  io::appendJsonString(text, name);
  text +=
      fmt::format(",\"cat\":\"{}\",\"ph\":\"X\",\"ts\":{:.3f},\"dur\":{:.3f},\"pid\":1,\"tid\":{}", category,
                  1e-3 * static_cast<double>(event.beganNs), 1e-3 * static_cast<double>(event.tookNs), event.thread);
  text += fmt::format(",\"args\":{{\"taken_bytes\":{},\"output_bytes\":{}", event.takenBytes, event.outputBytes);
  if (!layer.empty()) {
    text += ",\"layer\":";
    io::appendJsonString(text, layer);
  }
  return text + "}}";
}

}  // namespace

std::string Trace::table() const {
  const std::lock_guard lock(record_->mutex);
  const TraceRecord& r = *record_;
  const i64 traced = r.tracedNs + (r.running ? core::traceClockNs() - r.startedNs : 0);
  std::vector<Row> layers, ops;
  addLayers(r.layers, -1, 0, layers);
  for (std::size_t i = 0; i < r.names.size(); ++i) ops.push_back({r.names[i], &r.totals[i]});
  std::erase_if(ops, [](const Row& row) { return row.totals->forwardNs + row.totals->backwardNs == 0; });
  std::stable_sort(ops.begin(), ops.end(), [](const Row& a, const Row& b) {
    return a.totals->forwardNs + a.totals->backwardNs > b.totals->forwardNs + b.totals->backwardNs;
  });
  return fmt::format("traced {:.3f} s\n\n{}\n{}", 1e-9 * static_cast<double>(traced), tableOf("layer", layers, traced),
                     tableOf("op", ops, traced));
}

void Trace::save(const std::string& path) const {
  io::ReportFile file(path, "Trace");
  const std::lock_guard lock(record_->mutex);
  const TraceRecord& r = *record_;
  const char* separator = "\n";
  file.write("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
  const auto write = [&](const TraceEvent& event, const std::string& name, const char* category) {
    file.write(separator);
    file.write(
        jsonOf(event, name, category, event.layer < 0 ? "" : r.layers[static_cast<std::size_t>(event.layer)].label));
    separator = ",\n";
  };
  for (const TraceEvent& event : backwardLayers(r.events)) {
    write(event, r.layers[static_cast<std::size_t>(event.layer)].label + " backward", "layer backward");
  }
  for (const TraceEvent& event : r.events) {
    if (event.kind == Kind::Layer) {
      write(event, r.layers[static_cast<std::size_t>(event.layer)].label, "layer");
    } else {
      const std::string& name = r.names[static_cast<std::size_t>(event.name)];
      const char* category = event.kind == Kind::Op ? "op" : event.kind == Kind::Backward ? "op backward" : "phase";
      write(event, event.kind == Kind::Backward ? name + " backward" : name, category);
    }
  }
  file.write(fmt::format("\n],\"otherData\":{{\"dropped_events\":{}}}}}\n", r.droppedEvents));
  file.commit();
}

}  // namespace ember
