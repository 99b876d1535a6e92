#include "Profile.h"

#include <utility>

#include <ember/core/io/ReportFile.h>

#include "Console.h"
#include "RunFiles.h"

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

Profile::Profile(std::string file, bool overwrite) : file_(std::move(file)) {
  if (file_.empty()) return;
  if (!overwrite) checkMayReplaceReport(file_, "\"traceEvents\"", "give --profile another name");
  ember::io::checkCanReport(file_, "profile");
  trace_.emplace();
}

Profile::~Profile() {
  if (!trace_) return;
  try {
    trace_->stop();
    console::print("\n{}\n", trace_->table());
    trace_->save(file_);
    console::print("{}: open it with chrome://tracing or ui.perfetto.dev\n", file_);
  } catch (const std::exception& error) {
    console::complain(error.what());
  }
}
