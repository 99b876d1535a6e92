#include <ember/core/Trace.h>

#include <algorithm>
#include <chrono>

#include <ember/core/Error.h>
#include <ember/core/Memory.h>
#include <ember/core/Scope.h>
#include <ember/core/TraceRecord.h>

// Spans report to the one record that is active when they end. A span that began under another session is dropped, so
// a trace may start and stop anywhere. One mutex guards the record: threads rarely meet there, and only while tracing.

namespace ember {
namespace core {

namespace detail {
std::atomic<bool> tracing{false};
constinit thread_local const TraceSpan* innermostSpan = nullptr;
}  // namespace detail

namespace {

std::mutex activeMutex;
// Guarded by activeMutex. Made at the first use and never destroyed: a trace may have static lifetime.
std::shared_ptr<TraceRecord>& active() {
  static auto* const record = new std::shared_ptr<TraceRecord>;
  return *record;
}
std::atomic<u64> sessions{0};
std::atomic<int> threadsSeen{0};

/// What is open on this thread, in its session.
struct Here {
  u64 session = 0;
  int layer = -1;
  bool inOp = false;
  int run = 0;
  int thread = ++threadsSeen;
};
thread_local Here here;

std::shared_ptr<TraceRecord> activeRecord() {
  const std::lock_guard lock(activeMutex);
  return active();
}

/// Whether other ops within it are part of it.
bool isOp(TraceSpan::Kind kind) { return kind != TraceSpan::Kind::Layer && kind != TraceSpan::Kind::Around; }

}  // namespace

i64 traceClockNs() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int TraceRecord::nameOf(std::string_view text) {
  const auto found = namesByText.find(text);
  if (found != namesByText.end()) return found->second;
  const int index = static_cast<int>(names.size());
  names.emplace_back(text);
  totals.emplace_back();
  namesByText.emplace(text, index);
  return index;
}

int TraceRecord::layerOf(std::string_view label) {
  const auto found = layersByLabel.find(label);
  if (found != layersByLabel.end()) return found->second;
  const int index = static_cast<int>(layers.size());
  layers.push_back({.label = std::string(label), .name = {}, .type = std::string(label)});
  layersByLabel.emplace(label, index);
  return index;
}

std::string currentOp() {
  const TraceSpan *innermost = nullptr, *outermost = nullptr;
  for (const TraceSpan* span = detail::innermostSpan; span; span = span->around_) {
    if (!isOp(span->kind_)) continue;
    if (!innermost) innermost = span;
    outermost = span;
  }
  const auto shown = [](const TraceSpan* span) {
    return (span->kind_ == TraceSpan::Kind::Backward ? "backward of " : "") + std::string(span->name_);
  };
  if (!innermost) return "";
  return innermost == outermost ? shown(innermost) : shown(innermost) + " in " + shown(outermost);
}

void TraceSpan::begin(std::string_view layer) {
  const std::shared_ptr<TraceRecord> record = activeRecord();
  const ModuleScope* scope = kind_ == Kind::Layer ? ModuleScope::current() : nullptr;
  if (!record || (kind_ == Kind::Layer && !scope) || Unwatched::current()) {
    open_ = false;
    return;
  }
  const std::string label = scope ? currentModule() : std::string(layer);
  {
    const std::lock_guard lock(record->mutex);
    if (here.session != record->session) here = {.session = record->session, .thread = here.thread};
    layer_ = -1;
    if (!label.empty()) {
      layer_ = record->layerOf(label);
      TraceLayer& entry = record->layers[static_cast<std::size_t>(layer_)];
      if (scope && !entry.ran) {
        entry.ran = true;
        entry.parent = here.layer;
        entry.name = scope->path();
        const std::string details = scope->details();
        entry.type = std::string(scope->type()) + (details.empty() ? "" : " " + details);
      }
    }
    session_ = record->session;
  }
  layerAround_ = here.layer;
  outermost_ = !here.inOp;
  if (kind_ == Kind::Layer) here.layer = layer_;
  if (kind_ == Kind::Around) ++here.run;
  if (isOp(kind_)) here.inOp = true;
  takenBefore_ = memory::takenByThread();
  began_ = traceClockNs();
}

void TraceSpan::end() noexcept try {
  const i64 ended = traceClockNs(), taken = memory::takenByThread() - takenBefore_;
  if (here.session == session_) {
    here.layer = layerAround_;
    if (isOp(kind_)) here.inOp = !outermost_;
  }
  const std::shared_ptr<TraceRecord> record = activeRecord();
  if (!record) return;
  const std::lock_guard lock(record->mutex);
  if (record->session != session_) return;
  const i64 took = ended - began_;
  const auto add = [&](TraceTotals& totals) {
    totals.calls += kind_ != Kind::Backward;
    (kind_ == Kind::Backward ? totals.backwardNs : totals.forwardNs) += took;
    totals.takenBytes += taken;
    totals.outputBytes += outputBytes_;
  };
  int name = -1;
  if (kind_ == Kind::Layer) {
    add(record->layers[static_cast<std::size_t>(layer_)].totals);
  } else {
    name = record->nameOf(name_);
    if (outermost_ && kind_ != Kind::Around) add(record->totals[static_cast<std::size_t>(name)]);
    for (int i = kind_ == Kind::Backward && outermost_ ? layer_ : -1; i >= 0;
         i = record->layers[static_cast<std::size_t>(i)].parent) {
      add(record->layers[static_cast<std::size_t>(i)].totals);
    }
  }
  if (static_cast<i64>(record->events.size()) < record->maxEvents)
    record->events.push_back(
        {kind_, name, layer_, here.thread, here.run, began_ - record->madeNs, took, taken, outputBytes_});
  else
    ++record->droppedEvents;
} catch (...) {
  // No memory for a record: the traced program goes on without it.
}

}  // namespace core

Trace::Trace() : Trace(Options{}) {}

Trace::Trace(const Options& options) : record_(std::make_shared<core::TraceRecord>()) {
  record_->maxEvents = std::max<i64>(0, options.events);
  record_->madeNs = core::traceClockNs();
  start();
}

Trace::~Trace() { stop(); }

void Trace::start() {
  const std::lock_guard lock(core::activeMutex);
  if (core::active() == record_) return;
  if (core::active()) {
    throw StateError("Trace", "another trace is running", {}, "stop() or destroy it first: there is one at a time");
  }
  const std::lock_guard inner(record_->mutex);
  record_->session = ++core::sessions;
  record_->running = true;
  record_->startedNs = core::traceClockNs();
  core::active() = record_;
  core::detail::tracing.store(true, std::memory_order_relaxed);
}

void Trace::stop() {
  const std::lock_guard lock(core::activeMutex);
  if (core::active() != record_) return;
  core::detail::tracing.store(false, std::memory_order_relaxed);
  core::active() = nullptr;
  const std::lock_guard inner(record_->mutex);
  record_->running = false;
  record_->session = 0;
  record_->tracedNs += core::traceClockNs() - record_->startedNs;
}

}  // namespace ember
