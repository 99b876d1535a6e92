#include <ember/core/io/FolderLock.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <mutex>
#include <new>
#include <optional>
#include <vector>

#include <ember/core/Error.h>
#include <ember/core/io/Text.h>

// The text of a lock file, one fact a line; a file name stands there as inQuotes() writes it:
//
//   ember 1
//   process 1234
//   host h
//   run "run.json"
//
// without a "run" while it is held for a single save.
namespace ember::io {
namespace {

constexpr std::string_view firstLine = "ember 1\n";
constexpr std::size_t mostText = 16'384;
constexpr timespec pause{0, 10'000'000};
constexpr int pausesOfSave = 200, pausesOfRun = 1000;

struct Holder {
  std::string process, host;
  std::vector<std::string> runs;
};

/// Replaces `text`, as far as its capacity goes, by what the file says.
void readContent(int fd, std::string& text) noexcept {
  text.resize(text.capacity());
  const ssize_t got = uninterrupted([&] { return ::pread(fd, text.data(), text.size(), 0); });
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
}

bool ofEmber(std::string_view text) { return text.starts_with(firstLine); }

/// Nothing for the text of another program, and while the holder is about to write its own.
std::optional<Holder> holderIn(std::string_view text) {
  if (!ofEmber(text)) return std::nullopt;
  Holder holder;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto space = line.find(' ');
    if (space == line.npos) continue;
    const std::string_view fact = line.substr(0, space);
    const std::string value(line.substr(space + 1));
    if (fact == "process") holder.process = value;
    if (fact == "host") holder.host = value;
    if (fact == "run") holder.runs.push_back(value);
  }
  return holder;
}

std::string hostName() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] ? name : "unknown";
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text.append(text.empty() ? "" : ", ").append(name);
  return text;
}

std::string describe(const Holder& holder) {
  return "process " + holder.process + " on host " + holder.host +
         (holder.runs.empty() ? std::string(" for a save") : " for the run of " + listed(holder.runs));
}

/// A run is believed once its text was seen twice, a pause apart: at first it may be what a killed one left behind, under
/// the lock of a process that is about to write its own.
bool believable(const std::string& text, std::string& before) {
  const bool same = text == before;
  before = text;
  return same;
}

}  // namespace

/// A lock of this process. All of them stand in one list, under one mutex.
struct FolderLock::Hold {
  explicit Hold(Descriptor folderOpen) : folder(std::move(folderOpen)) { ::fstat(folder.get(), &where); }
  ~Hold() {
    // In a child of fork() the file is the parent's still.
    if (ours && owner == ::getpid() && stands()) ::unlinkat(folder.get(), lockFileName, 0);
  }

  // Without its text (a full disk, no memory) the lock is one all the same; who comes second then learns less.
  void describeYourself() noexcept try {
    if (!ours) return;
    std::string text(firstLine);
    text.append("process ").append(std::to_string(owner)).append("\nhost ").append(hostName()).append("\n");
    for (const std::string& run : runs) text.append("run ").append(run).append("\n");
    u64 written = 0;
    if (::ftruncate(fd.get(), 0) == 0 && ::lseek(fd.get(), 0, SEEK_SET) == 0) writeAll(fd.get(), text, written);
  } catch (const std::bad_alloc&) {
  }

  /// Whether the locked file is the one in the folder still: somebody may have removed it, and then others do not see
  /// this lock.
  bool stands() const noexcept {
    struct stat locked {}, present {};
    return ::fstat(fd.get(), &locked) == 0 &&
           ::fstatat(folder.get(), lockFileName, &present, AT_SYMLINK_NOFOLLOW) == 0 && sameFile(locked, present);
  }

  Descriptor folder, fd;  // the folder to remove the lock file from at the end
  struct stat where {};
  pid_t owner = ::getpid();
  bool ours = false;  // not while nothing is locked, and not the file of another program, which is left as it is
  std::vector<std::string> runs;

  static std::mutex& mutex() {
    static auto* const lasting = new std::mutex;  // locks may outlive static objects
    return *lasting;
  }
  static std::vector<std::weak_ptr<Hold>>& all() {
    static auto* const lasting = new std::vector<std::weak_ptr<Hold>>;
    return *lasting;
  }

  /// The lock that this process has for the folder. The mutex is held.
  static std::shared_ptr<Hold> find(int folder) {
    struct stat wanted {};
    if (::fstat(folder, &wanted) != 0) return nullptr;
    std::erase_if(all(), [](const auto& hold) { return hold.expired(); });
    for (const auto& weak : all()) {
      std::shared_ptr<Hold> hold = weak.lock();
      if (hold && hold->owner == ::getpid() && sameFile(hold->where, wanted)) return hold;
    }
    return nullptr;
  }

  enum class Outcome { Got, Busy, Impossible };

  /// Locks the lock file of a folder without waiting: `got` is then set, and `text` to what a busy one says.
  static Outcome take(int folder, std::shared_ptr<Hold>& got, std::string& text) {
    // Behind the making of the file nothing takes memory: a lock that cannot be had leaves none behind.
    const auto hold = std::make_shared<Hold>(Descriptor(::fcntl(folder, F_DUPFD_CLOEXEC, 0)));
    text.reserve(mostText);
    for (int tries = 0; hold->folder && tries < 100; ++tries) {
      constexpr int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
      Descriptor fd(uninterrupted([&] { return ::openat(folder, lockFileName, O_RDWR | O_CREAT | flags, 0666); }));
      // One of another user, dead perhaps, may be locked all the same.
      const bool mayWrite = static_cast<bool>(fd);
      if (!fd) fd = Descriptor(uninterrupted([&] { return ::openat(folder, lockFileName, O_RDONLY | flags); }));
      struct stat opened {};
      if (!fd || ::fstat(fd.get(), &opened) != 0 || !S_ISREG(opened.st_mode)) return Outcome::Impossible;
      if (uninterrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
        const bool busy = errno == EWOULDBLOCK;
        readContent(fd.get(), text);
        if (!busy && text.empty()) ::unlinkat(folder, lockFileName, 0);  // where nothing can be locked it is litter
        return busy ? Outcome::Busy : Outcome::Impossible;
      }
      // The holder before may have removed the file after it was opened here; another may stand there by now.
      struct stat present {};
      if (::fstatat(folder, lockFileName, &present, AT_SYMLINK_NOFOLLOW) != 0 || !sameFile(opened, present)) continue;
      readContent(fd.get(), text);
      const bool foreign = !text.empty() && !ofEmber(text);
      if (!mayWrite && !foreign && ::unlinkat(folder, lockFileName, 0) == 0) continue;
      hold->fd = std::move(fd);
      hold->ours = mayWrite && !foreign;
      got = hold;
      return Outcome::Got;
    }
    return Outcome::Impossible;
  }

  /// The same for one that runs of this process had in `old`, whose file is gone: `old` itself has the new one.
  static Outcome takeAgain(int folder, const std::shared_ptr<Hold>& old, std::shared_ptr<Hold>& got,
                           std::string& text) {
    const Outcome outcome = take(folder, got, text);
    if (outcome != Outcome::Got) return outcome;
    old->fd = std::move(got->fd);
    old->ours = std::exchange(got->ours, false);
    got = old;
    return outcome;
  }
};

FolderLock::~FolderLock() {
  if (!hold_) return;
  const std::lock_guard guard(Hold::mutex());
  if (!file_.empty()) {
    std::erase(hold_->runs, file_);
    if (hold_.use_count() > 1 && hold_->owner == ::getpid()) hold_->describeYourself();
  }
  hold_.reset();
}

FolderLock FolderLock::forRun(const std::string& path, const char* op) {
  const SavePath target(path, op);
  int error = 0;
  const Descriptor folder = target.openFolder(error);
  FolderLock lock;
  if (!folder) return lock;
  const std::string file = inQuotes(target.name);
  std::string text, textBefore;
  for (int pauses = 0;; ++pauses) {
    {
      const std::lock_guard guard(Hold::mutex());
      std::shared_ptr<Hold> hold = Hold::find(folder.get());
      if (hold && std::ranges::count(hold->runs, file) > 0) {
        throw IoError(op, inQuotes(path) + " is in use: this process has a run that saves to it", {},
                      "end that run first, or save to another file");
      }
      auto outcome = Hold::Outcome::Got;
      if (!hold) {
        outcome = Hold::take(folder.get(), hold, text);
        if (hold) Hold::all().push_back(hold);
      } else if (!hold->stands()) {
        std::shared_ptr<Hold> again;
        outcome = Hold::takeAgain(folder.get(), hold, again, text);
      }
      if (outcome == Hold::Outcome::Impossible) return lock;
      if (outcome == Hold::Outcome::Got) {
        lock.file_ = file;
        hold->runs.push_back(file);
        lock.hold_ = std::move(hold);
        lock.hold_->describeYourself();
        return lock;
      }
    }
    const std::optional<Holder> holder = holderIn(text);
    const bool run = holder && !holder->runs.empty() && believable(text, textBefore);
    if (run || pauses == pausesOfRun) {
      throw IoError(op, "the folder of " + inQuotes(path) + " is in use by " +
                            (holder ? describe(*holder) : std::string("another program")),
                    {{"lock", inQuotes(target.folder + "/" + lockFileName)}},
                    "wait for its end, or save into another folder; the lock ends with the process that holds it");
    }
    ::nanosleep(&pause, nullptr);
  }
}

FolderLock FolderLock::forSave(const SavePath& target, int folder, const char* op) {
  FolderLock lock;
  std::string text, textBefore;
  for (int pauses = 0;; ++pauses) {
    auto outcome = Hold::Outcome::Got;
    {
      const std::lock_guard guard(Hold::mutex());
      const std::shared_ptr<Hold> present = Hold::find(folder);
      const bool run = present && !present->runs.empty();
      if (run && present->stands()) {
        lock.hold_ = present;
        return lock;
      }
      // Where another thread saves: wait for it as for another process.
      outcome = run ? Hold::takeAgain(folder, present, lock.hold_, text) : Hold::take(folder, lock.hold_, text);
      if (outcome == Hold::Outcome::Got) {
        if (!run) Hold::all().push_back(lock.hold_);
        lock.hold_->describeYourself();
      }
    }
    if (outcome != Hold::Outcome::Busy) return lock;
    if (const std::optional<Holder> holder = holderIn(text); holder && !holder->runs.empty()) {
      if (std::ranges::count(holder->runs, inQuotes(target.name)) == 0) return lock;
      if (believable(text, textBefore)) {
        throw IoError(op, "not saved: " + inQuotes(target.given) + " is in use by " + describe(*holder), {},
                      "save to another file; what stood there before is untouched");
      }
    }
    if (pauses == pausesOfSave) return lock;
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace ember::io
