// Shows, verifies, compares and migrates checkpoints, without building a net.
// test: --help
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <ember/core/Error.h>
#include <ember/core/io/Checkpoint.h>
#include <ember/core/io/Text.h>
#include <ember/nn/Pattern.h>

#include "Difference.h"
#include "Show.h"
#include "Verify.h"

using namespace ember;

namespace {

/// What to say of a command line that CLI11 refuses.
std::string complaint(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  std::vector<std::string> commands, flags{"--help"};
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  if (app.get_subcommands().empty()) {
    if (argc < 2) return "say what to do: " + fmt::format("{}", fmt::join(commands, ", "));
    const std::string word = argv[1];
    const bool isFlag = word.starts_with("-");
    const auto near = nn::nearestName(word, isFlag ? flags : commands);
    return fmt::format(
        "there is no {} \"{}\"{}", isFlag ? "flag" : "command", word,
        near ? fmt::format("; did you mean \"{}\"?", *near) : fmt::format("; there are {}", fmt::join(commands, ", ")));
  }
  const std::vector<std::string> extras = app.remaining(true);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr || extras.empty()) return error.what();
  if (!extras.front().starts_with("-")) return fmt::format("\"{}\" is one file too many", extras.front());
  const CLI::App* command = app.get_subcommands().front();
  for (const CLI::Option* option : command->get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  const auto near = nn::nearestName(extras.front(), flags);
  return fmt::format("{}: there is no {}{}", command->get_name(), extras.front(),
                     near ? fmt::format("; did you mean \"{}\"?", *near) : "");
}

/// The exit code, whatever becomes of what it prints.
int run(int argc, char** argv) {
  std::string file, other;
  bool readable = false;
  CLI::App app("Looks into checkpoints of ember.", "checkpoint");
  app.set_help_flag("--help", "print this and exit");
  app.require_subcommand(1);
  const auto command = [&](const char* name, const char* help) {
    CLI::App* added = app.add_subcommand(name, help);
    added->set_help_flag("--help", "print this and exit");
    return added;
  };
  CLI::App* show = command("show", "what is in it: writer, net, position of the training, tensors");
  CLI::App* verify =
      command("verify", "whether a load takes it: exit code 0 and what was checked and what not, or 1 with the reason");
  CLI::App* diff = command("diff", "which fields and tensors differ: exit code 0 if none does, else 1");
  CLI::App* migrate = command("migrate", "write what an older one holds to a new file of the present version");
  for (CLI::App* one : {show, verify}) one->add_option("FILE", file, "a checkpoint")->required();
  diff->add_option("A", file, "a checkpoint")->required();
  diff->add_option("B", other, "another")->required();
  migrate->add_option("OLD", file, "a checkpoint of any version")->required();
  migrate->add_option("NEW", other, "a file that does not exist yet")->required();
  migrate->add_flag("--readable", readable, "tensors of at most 10,000 elements as decimal numbers");
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "checkpoint: {}\ncheckpoint --help lists the commands\n", complaint(app, error, argc, argv));
    return 2;
  }

  try {
    if (*migrate) {
      io::migrate(file, other, {.readable = readable});
      fmt::print("wrote {}\n", other);
      return 0;
    }
    const io::Checkpoint checkpoint = io::readCheckpoint(file);
    if (*diff) {
      const std::vector<std::string> lines = differences(checkpoint, io::readCheckpoint(other));
      for (const std::string& line : lines) fmt::print("{}\n", line);
      return lines.empty() ? 0 : 1;
    }
    if (*show) {
      fmt::print("{}", description(file, checkpoint));
      return 0;
    }
    i64 bytes = 0;
    for (const io::CheckpointTensor& tensor : checkpoint.tensors) bytes += tensor.array.bytes();
    const Verified result = verified(file, checkpoint);
    fmt::print("{} is whole: {} tensors, {} bytes, every check sum in it as written\n", io::printable(file, 1024),
               checkpoint.tensors.size(), grouped(bytes));
    for (const std::string& text : result.checked) fmt::print("checked: {}\n", text);
    for (const std::string& text : result.unchecked) fmt::print("not checked: {}\n", text);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int code = run(argc, argv);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  fmt::print(stderr, "checkpoint: cannot write all of that to standard output\n");
  return 1;
}
