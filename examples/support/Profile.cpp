#include "Profile.h"

#include <utility>

#include <ember/core/io/ReportFile.h>

#include "Console.h"
#include "RunFiles.h"

void addProfileFlag(CLI::App& app, std::string& file) {
  addFile(app, "--profile", file, "print time and memory of each layer and op, and write FILE for chrome://tracing")
      ->type_name("[FILE]")
      ->expected(0, 1)
      ->default_str("profile.json");
}

Profile::Profile(std::string file, bool overwrite) : file_(std::move(file)), overwrite_(overwrite) {
  if (file_.empty()) return;
  checkMayReplace();
  ember::io::checkCanReport(file_, "profile");
  trace_.emplace();
}

void Profile::checkMayReplace() const {
  if (!overwrite_) checkMayReplaceReport(file_, "\"traceEvents\"", "give --profile another name");
}

Profile::~Profile() {
  if (!trace_) return;
  try {
    trace_->stop();
    console::print("\n{}\n", trace_->table());
    checkMayReplace();  // what the program itself has put there meanwhile
    trace_->save(file_);
    console::print("{}: open it with chrome://tracing or ui.perfetto.dev\n", file_);
  } catch (const std::exception& error) {
    console::complain(error.what());
  }
}
