#include "RunFiles.h"

#include <unistd.h>

#include <exception>
#include <filesystem>
#include <fstream>

#include <ember/core/io/SavePath.h>

#include "Console.h"
#include "Interrupt.h"
#include "Numbers.h"

using namespace ember;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view previous = ".prev";

bool sameFile(const std::string& a, const std::string& b) {
  std::error_code missing;
  return a == b || fs::equivalent(a, b, missing);
}

/// A name that is too long names nothing.
bool exists(const std::string& path) {
  std::error_code unreadable;
  return fs::exists(path, unreadable);
}

/// Not there, as far as one may look: what else keeps a file from being read is told by who reads it.
bool missing(const std::string& path) {
  std::error_code error;
  return fs::status(path, error).type() == fs::file_type::not_found &&
         (!error || error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory);
}

/// What a descriptor leads to was opened by whoever started the program.
bool isStream(const std::string& path) {
  std::error_code missing;
  const fs::file_type type = fs::status(path, missing).type();
  return path.starts_with("/dev/") || type == fs::file_type::fifo || type == fs::file_type::character;
}

/// Whether the first bytes of a file have `mark` in them; an empty file is anyone's.
bool startsWith(const std::string& path, std::string_view mark) {
  std::string start(4096, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(start.data(), std::ssize(start));
  start.resize(static_cast<std::size_t>(file.gcount()));
  return start.empty() || start.find(mark) != start.npos;
}

/// What stands in a file that a new run would replace, and what to do about it.
std::string content(const std::string& path) {
  try {
    const io::Checkpoint file = io::readCheckpoint(path);
    if (file.train.isNull()) return "holds a saved net; save to another file, or --overwrite replaces it";
    return fmt::format("holds a run at step {}; --resume {} continues it, --overwrite replaces it",
                       file.train.get<std::string>("step"), path);
  } catch (const Error& error) {
    return fmt::format("exists and is no run ({}); save to another file, or --overwrite replaces it", error.headline());
  }
}

/// Whether what stands at `path` is not the run of `from`: another one, a net, no file of ember's. A damaged one is.
bool holdsOther(const std::string& path, const std::string& from) {
  try {
    const io::Checkpoint here = io::readCheckpoint(path), there = io::readCheckpoint(from);
    return here.train.isNull() || !(here.model == there.model) || !(here.train.at("seed") == there.train.at("seed"));
  } catch (const Error&) {
    return !startsWith(path, "\"ember-checkpoint\"");
  }
}

optim::AutoSaveOptions autoSaveOptions(const RunFlags& flags, const std::string& bestFile) {
  return {.everySteps = flags.saveEvery,
          .onError = flags.stopOnSaveError ? optim::OnSaveError::Stop : optim::OnSaveError::Continue,
          .bestFile = bestFile,
          .lock = flags.lock,
          .report = [](const std::string& what) { console::complain(what); }};
}

}  // namespace

CLI::Option* addFile(CLI::App& app, const std::string& flag, std::string& file, const std::string& help) {
  const auto take = [flag, &file](const std::string& text) {
    if (text.empty()) throw CLI::ValidationError(flag, "the name of the file is empty");
    file = text;
  };
  return app.add_option_function<std::string>(flag, take, help)->type_name("FILE");
}

void addRunFlags(CLI::App& app, RunFlags& flags, const std::string& defaultSave) {
  addFile(app, "--save", flags.save,
          fmt::format("the run as it stands, after each epoch and at the end (default {}, or the file of --resume); the "
                      "one before stays as FILE.prev",
                      defaultSave));
  addFile(app, "--resume", flags.resume,
          "continue that run, bit for bit; auto: the newest whole one of --save's file and its .prev, or a new run if "
          "there is none");
  app.add_flag("--overwrite", flags.overwrite, "replace files that are there and are not those of the resumed run");
  app.add_flag("--override", flags.override,
               "with --resume: go on under this command line where the run was begun under another")
      ->needs(app.get_option("--resume"));
  addNumber<i64>(app, "--save-every", flags.saveEvery, 1, 1'000'000'000, "save behind every so many steps, too");
  app.add_option_function<std::string>(
         "--on-save-error",
         [&flags](const std::string& text) {
           if (text != "stop" && text != "continue")
             throw CLI::ValidationError("--on-save-error", "\"" + text + "\" is not stop or continue");
           flags.stopOnSaveError = text == "stop";
         },
         "when a save fails: continue, try again the next time and exit with 1 in the end "
         "(default), or stop")
      ->type_name("WHAT");
}

std::string chooseRun(RunFlags& flags, const std::string& program, const std::string& defaultSave, bool train) {
  const std::string from = flags.resume;
  const bool choose = from == "auto";
  if (!choose && !from.empty() && missing(from)) {
    throw IoError(
        program, "there is no saved run " + from, {},
        fmt::format("train one first: examples/run {}{}", program, from == defaultSave ? "" : " --save " + from));
  }
  if (flags.save.empty()) {
    flags.save = choose || from.empty() ? defaultSave : from;
    if (flags.save.ends_with(previous)) flags.save.resize(flags.save.size() - previous.size());
  }
  checkDifferent({{"--save", flags.save, true}});
  // Before anything is read: of two trainers that resume one run, the second would go on from what the first replaces.
  if (train) flags.lock = std::make_shared<io::FolderLock>(io::FolderLock::forRun(flags.save, program.c_str()));
  if (!choose) return from;
  const auto found = optim::newestRun(flags.save);
  console::complain(
      fmt::format("{}: {}", program,
                  found ? found->why
                        : fmt::format("there is no run to resume at {0} or {0}.prev: a new one begins", flags.save)));
  return found ? found->path : std::string();
}

io::Checkpoint readRun(const std::string& file, const std::string& program, const std::string& help) {
  io::Checkpoint saved = io::readCheckpoint(file);
  if (saved.train.isNull() || saved.optimizer.isNull())
    throw IoError(program, file + " holds a net but no run: it has no optimiser state", {}, help);
  return saved;
}

void Conflicts::refuse(const std::string& evenIfOverridden) const {
  if (list_.empty()) return;
  throw UsageError("the command line contradicts " + file_ + ":" + list_ + "\n" +
                   (override_ ? evenIfOverridden : "leave that out, or go on under it all the same with --override"));
}

void resumeRun(optim::Trainer& trainer, const std::string& file, const RunFlags& flags) {
  const optim::ResumeOptions options{.acceptChanges = flags.override};
  if (flags.resume != "auto") return trainer.resume(file, options);
  try {
    trainer.resume(file, options);
  } catch (const Error& error) {
    // What only the program's net can tell of a file: nothing has changed, and the other generation may be whole.
    const std::string other = file.ends_with(previous) ? flags.save : file + std::string(previous);
    if (!exists(other) || !optim::sameRun(file, other)) throw;
    const std::exception_ptr first = std::current_exception();
    try {
      trainer.resume(other, options);
    } catch (const Error&) {
      std::rethrow_exception(first);
    }
    console::complain(fmt::format("{} cannot be used: {}; {} taken", file, error.headline(), other));
  }
}

bool nothingToDo(const optim::Trainer& trainer, const std::string& file, const std::optional<i64>& epochs) {
  const i64 all = trainer.options().epochs;
  if (!trainer.finished() && epochs.value_or(all) > trainer.epoch()) return false;
  console::print("{} is trained for {} of {} epochs already{}; nothing to do\n", file, trainer.epoch(), all,
                 trainer.endedEarly() ? ", the last of them no better" : "");
  return true;
}

void checkDifferent(const std::vector<Output>& outputs) {
  struct File {
    const Output* output;
    io::SavePath path, before;
  };
  std::vector<File> files;
  const auto refuseBefore = [](const Output& output, const Output& run) {
    throw UsageError(fmt::format("{} {} is where {} {} keeps the run before; give another name", output.flag,
                                 output.path, run.flag, run.path));
  };
  for (const Output& output : outputs) {
    if (output.path.empty() || isStream(output.path)) continue;
    if (fs::path(output.path).filename() == io::lockFileName) {
      throw UsageError(
          fmt::format("{} {} is the file that locks its folder; give another name", output.flag, output.path));
    }
    const io::SavePath path(output.path, output.flag);
    File file{&output, path, path};
    file.before.name += previous;
    for (const File& other : files) {
      if (io::sameTarget(file.path, other.path)) {
        throw UsageError(fmt::format("{} {} and {} {} are one file; give one of them another name", other.output->flag,
                                     other.output->path, output.flag, output.path));
      }
      if (other.output->run && io::sameTarget(file.path, other.before)) refuseBefore(output, *other.output);
      if (output.run && io::sameTarget(file.before, other.path)) refuseBefore(*other.output, output);
    }
    files.push_back(std::move(file));
  }
}

bool goesOnIn(const std::string& path, const std::string& from) {
  return !from.empty() && (sameFile(path, from) || sameFile(path + std::string(previous), from));
}

void checkMayReplaceRun(const std::string& path, const std::string& from, bool overwrite) {
  if (overwrite || path.empty()) return;
  if (goesOnIn(path, from) && (sameFile(path, from) || !exists(path) || !holdsOther(path, from))) return;
  const std::string before = path + std::string(previous);
  if (exists(path)) throw UsageError(fmt::format("{} {}", path, content(path)));
  // The second save would lose it.
  if (exists(before)) throw UsageError(fmt::format("{} {}", before, content(before)));
}

void checkMayReplaceReport(const std::string& path, std::string_view mark, const char* instead) {
  std::error_code unreadable;
  if (isStream(path) || !fs::is_regular_file(path, unreadable) || startsWith(path, mark)) return;
  throw UsageError(fmt::format("{} exists and was not written by this program; {}", path, instead));
}

SavedTraining::SavedTraining(optim::Trainer& trainer, const RunFlags& flags, const std::string& bestFile)
    : trainer_(trainer), file_(flags.save), saves_(trainer, flags.save, autoSaveOptions(flags, bestFile)) {
  if (trainer.best() && trainer.best()->file() != bestFile) trainer.best()->keepNowhere();
}

int SavedTraining::run() {
  const Interrupt interrupt(trainer_);
  const bool complete = trainer_.run();
  if (!complete) {
    const bool redrawn = ::isatty(STDOUT_FILENO) == 1;  // over the line that shows the progress
    console::print("{}stopped by {} in epoch {} of {}\n", redrawn ? "\r\x1b[K" : "", Interrupt::signalName(),
                   trainer_.epoch() + 1, trainer_.options().epochs);
  }
  if (!saves_.upToDate()) {
    console::complain(fmt::format("NOT saved: {} is not the run as it stands: {}", file_, saves_.lastFailure()));
    return 1;
  }
  if (saves_.failures() > 0)
    console::complain(fmt::format("saved {} in the end; {} saves before failed", file_, saves_.failures()));
  if (complete) return saves_.failures() > 0 ? 1 : 0;
  console::print("saved {0}, continue with --resume {0}\n", file_);
  return 128 + Interrupt::signal();
}
