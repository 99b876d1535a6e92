#pragma once
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include <ember/ember.h>

/// Adds --profile [FILE] to a command line; `file` stays empty without it.
void addProfileFlag(CLI::App& app, std::string& file);

/// What --profile does: while it lives, layers and ops are traced; at its end it prints the tables and writes the file
/// for chrome://tracing. With an empty name, nothing.
class Profile {
 public:
  /// Throws IoError if the file could not be written, UsageError if another program's file is there.
  explicit Profile(std::string file, bool overwrite = false);
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

 private:
  void checkMayReplace() const;

  std::string file_;
  bool overwrite_;
  std::optional<ember::Trace> trace_;
};
