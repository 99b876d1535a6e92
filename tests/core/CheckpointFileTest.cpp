#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ember/core/io/Text.h>

#include "CheckpointText.h"
#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

TEST_CASE("an empty file (J1)") { CHECK(contains(readError(""), "\"net.json\" is empty (0 bytes)")); }

TEST_CASE("a file cut at any byte is refused, and what was whole is named (J2)") {
  const std::string plain = written(small()), readable = written(small(), {.readable = true});
  for (const std::string& text : {plain, readable, dataFirst(plain), dataFirst(readable)}) {
    const auto end = text.rfind('}'), data = text.find("\"data\": {"), tensors = text.find("\"tensors\": [");
    for (std::size_t length = 1; length <= end; ++length) {
      const std::string message = readError(text.substr(0, length));
      CHECK(contains(message, "\"net.json\" is cut off"));
      CHECK(contains(message, "ends    "));
      CHECK(contains(message, "after " + bytesText(length)));
      if (length > data && data > tensors) CHECK(contains(message, " of 3 whole"));
    }
    CHECK(readText(text.substr(0, end + 1)).tensors.size() == 3);
  }
  const std::string message = readError(plain.substr(0, plain.find("\"bias\": [")));
  CHECK(contains(message, "last whole  \"count\""));
  CHECK(contains(message, "tensors     2 of 3 whole"));
  CHECK(contains(message, "payload     32 bytes of 44 bytes whole"));
  CHECK_FALSE(contains(readError(plain.substr(0, plain.find("\"weight\": ["))), "last whole"));
}

TEST_CASE("a file that is cut so short that it cannot hold what it lists is said to be cut, too (J2)") {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"a [\"{", "param", counted({10}, DType::U8)}, {"t", "param", counted({3000}, DType::U8)}};
  checkpoint.train = {{"text", "} ] \\ \" {"}};
  const std::string text = written(checkpoint);
  const auto row = text.find("\"shape\": [3000]");
  for (const std::size_t length : {row + 60, row + 200, text.size() / 2, text.size() - 3}) {
    const std::string message = readError(text.substr(0, length));
    CHECK_MESSAGE(contains(message, "\"net.json\" is cut off"), message);
    CHECK(contains(message, "after " + bytesText(length)));
    CHECK(contains(message, "it was not written or copied completely"));
  }
  const std::string message = readError(text.substr(0, text.size() / 2));
  CHECK_MESSAGE(contains(message, "\"t\": up to it, tensors of 3,010 bytes are declared, the file has"), message);
}

TEST_CASE("files of other programs are recognised, with the command that helps (J3)") {
  struct Kind {
    std::string start, name, help;
  };
  const std::string own = "ember reads its own JSON checkpoints, which save() writes";
  const Kind kinds[] = {{"\x1f\x8b\x08", "a gzip file", "gunzip -k FILE"},
                        {"BZh9", "a bzip2 file", "bunzip2 -k FILE"},
                        {"\xfd"
                         "7zXZ",
                         "an xz file", "unxz -k FILE"},
                        {"\x28\xb5\x2f\xfd", "a zstd file", "unzstd FILE"},
                        {"PK\x03\x04", "a zip file (PyTorch's .pt", own},
                        {"\x80\x02}q", "a Python pickle", own},
                        {"\x80\x03}q", "a Python pickle", own},
                        {"\x80\x04}q", "a Python pickle", own},
                        {"\x80\x05}q", "a Python pickle", own},
                        {"\x89PNG\r\n", "a PNG picture", "give the checkpoint"},
                        {"\x89HDF\r\n", "an HDF5 file", own},
                        {"\x93NUMPY\x01", "a NumPy array", own},
                        {"\x7f"
                         "ELF\x02",
                         "a program", "give the checkpoint"},
                        {std::string("\x10\0\0\0\0\0\0\0{", 9), "a safetensors file", own}};
  for (const Kind& kind : kinds) {
    for (const std::string& text : {kind.start, kind.start + "............"}) {
      const std::string message = readError(text);
      CHECK_MESSAGE(contains(message, "\"net.json\" is no ember checkpoint: it looks like " + kind.name), message);
      CHECK_MESSAGE(contains(message, kind.help), message);
    }
  }
  for (const std::string& other : {std::string("hello"), std::string("PK\x03."), std::string("\x10\0\0\0\0\0\1\0{", 9),
                                   std::string("\x10\0\0\0\0\0\0\1{", 9), std::string("\x10\0\0\0\0\0\0\0[", 9)}) {
    CHECK(contains(readError(other), "is not valid JSON"));
  }
}

TEST_CASE("JSON that is no checkpoint (J4)") {
  CHECK(contains(readError("[]"), "is no ember checkpoint: it holds an array, not an object"));
  CHECK(contains(readError("3"), "it holds an integer"));
  CHECK(contains(readError("\"text\""), "it holds a string"));
  CHECK(contains(readError("{}"), "no field \"format\""));
  CHECK(contains(readError(R"({"format": "other"})"), "\"format\" is \"other\", expected \"ember-checkpoint\""));
  CHECK(contains(readError(R"({"data": {"a": [1, {"b": 2}]}, "x": 3})"), "no field \"format\""));
}

TEST_CASE("text behind the end (J8), a byte order mark (J9)") {
  const std::string text = written(small());
  CHECK(contains(readError(text + "{}"), "has more text behind its end"));
  CHECK(readText("\xef\xbb\xbf" + text).tensors.size() == 3);
}

TEST_CASE("paths that are no readable file (J28)") {
  const TempFolder folder;
  const auto error = [](const std::string& path) { return messageOf<IoError>([&] { readCheckpoint(path); }); };
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(contains(error(folder / "missing"), "cannot open \"" + folder / "missing" + "\": No such file or directory"));
  CHECK(contains(error(folder / "missing"), "check the path"));
  CHECK_FALSE(contains(error(folder / "missing/"), "not a path"));
  CHECK(contains(error(folder.path()), "is a directory, not a regular file"));
  CHECK(contains(error(folder / "fifo"), "is a FIFO, not a regular file"));
  CHECK(contains(error("/dev/null"), "is a device, not a regular file"));
  CHECK(contains(error(""), "not a path"));
  CHECK(contains(error(std::string("net\0.json", 9)), "not a path: \"net\\x00.json\""));
  writeFile(folder / "file", written(small()));
  CHECK(contains(error(folder / "file/net.json"), "Not a directory"));
  ::symlink("loop", (folder / "loop").c_str());
  CHECK(contains(error(folder / "loop"), "Too many levels of symbolic links"));
  CHECK_FALSE(contains(error(folder / "loop"), "check the path"));
}

TEST_CASE("a file that may not be read (J28)") {
  const TempFolder folder;
  writeFile(folder / "secret", written(small()));
  ::chmod((folder / "secret").c_str(), 0);
  ::chmod(folder.path().c_str(), 0755);
  const bool root = ::geteuid() == 0;  // who reads everything
  if (root && ::seteuid(65534) != 0) {
    MESSAGE("SKIPPED: root cannot become another user here");
    return;
  }
  const std::string message = messageOf<IoError>([&] { readCheckpoint(folder / "secret"); });
  if (root) REQUIRE(::seteuid(0) == 0);
  CHECK(contains(message, "cannot open \"" + folder / "secret" + "\": Permission denied"));
}

TEST_CASE("a file that changes while it is read is refused, one that is replaced is read as it was (J29)") {
  const TempFolder folder;
  const std::string path = folder / "a", text = written(small());
  const auto readWhile = [&](auto&& change) {
    writeFile(path, text);
    FileSource source(path, "load");
    change();
    std::size_t count = 3;
    const std::string message = messageOf<IoError>([&] { count = readCheckpoint(source).tensors.size(); });
    CHECK(count == 3);
    return message;
  };
  CHECK(readWhile([] {}) == "no error");
  const auto overwrite = [&](const std::string& other) { return [&path, other] { writeFile(path, other); }; };
  CHECK(contains(readWhile(overwrite(text + " ")), "\"" + path + "\" was changed while it was read"));
  CHECK(contains(readWhile(overwrite(text.substr(0, text.size() - 1))), "was changed while it was read"));
  // Of the same length, at another time: seconds and nanoseconds count.
  for (const timespec& time : {timespec{1'000'000'000, 0}, timespec{0, 5}}) {
    const auto touch = [&] {
      struct stat info {};
      REQUIRE(::stat(path.c_str(), &info) == 0);
      timespec changed = info.st_mtim;
      changed.tv_sec += time.tv_sec;
      changed.tv_nsec = (changed.tv_nsec + time.tv_nsec) % 1'000'000'000;
      const timespec times[] = {changed, changed};
      REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    };
    CHECK(contains(readWhile(touch), "was changed while it was read"));
  }
  CHECK(readWhile([&] {
          writeFile(folder / "b", "{}");
          ::rename((folder / "b").c_str(), path.c_str());
        }) == "no error");
  CHECK(readFile(path) == "{}");
  CHECK(readWhile([&] { ::unlink(path.c_str()); }) == "no error");
}

TEST_CASE("a program without standard input reads files as well, and closes what it opened") {
  const TempFolder folder;
  writeFile(folder / "net.json", written(small()));
  const int input = ::dup(0);
  ::close(0);
  CHECK(readCheckpoint(folder / "net.json").tensors.size() == 3);  // as descriptor 0
  CHECK(::fcntl(0, F_GETFD) == -1);
  if (input >= 0) {
    REQUIRE(::dup2(input, 0) == 0);
    ::close(input);
  }
}
