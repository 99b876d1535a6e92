#include "Profile.h"

#include <cstdio>
#include <utility>

#include <ember/core/io/ReportFile.h>

void addProfileFlag(CLI::App& app, std::string& file) {
  const auto store = [&file](const std::string& text) {
    if (text.empty()) throw CLI::ValidationError("--profile", "the name of the file is empty");
    file = text;
  };
  app.add_option_function<std::string>(
         "--profile", store, "print time and memory of each layer and op, and write FILE for chrome://tracing")
      ->type_name("[FILE]")
      ->expected(0, 1)
      ->default_str("profile.json");
}

Profile::Profile(std::string file) : file_(std::move(file)) {
  if (file_.empty()) return;
  ember::io::checkCanReport(file_, "profile");
  trace_.emplace();
}

Profile::~Profile() {
  if (!trace_) return;
  try {
    trace_->stop();
    fmt::print("\n{}\n", trace_->table());
    trace_->save(file_);
    fmt::print("{}: open it with chrome://tracing or ui.perfetto.dev\n", file_);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
  }
}
