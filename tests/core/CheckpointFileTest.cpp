#include <sys/stat.h>
#include <unistd.h>

#include "CheckpointText.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

TEST_CASE("an empty file (J1)") { CHECK(contains(readError(""), "\"net.json\" is empty (0 bytes)")); }

TEST_CASE("a file cut at any byte is refused, and what was whole is named (J2)") {
  const std::string text = written(small());
  for (std::size_t length = 1; length < text.rfind('}'); ++length) {
    const std::string message = readError(text.substr(0, length));
    CHECK(contains(message, "\"net.json\" is cut off"));
  }
  CHECK(readText(text.substr(0, text.rfind('}') + 1)).tensors.size() == 3);
  const std::string message = readError(text.substr(0, text.find("\"bias\": [")));
  CHECK(contains(message, "last whole  \"count\""));
  CHECK(contains(message, "tensors     2 of 3 whole"));
  CHECK(contains(message, "payload     32 bytes of 44 bytes whole"));
}

TEST_CASE("files of other programs are recognised (J3)") {
  CHECK(contains(readError("\x1f\x8b\x08...."), "looks like a gzip file"));
  CHECK(contains(readError("PK\x03\x04...."), "looks like a zip file"));
  CHECK(contains(readError("\x80\x02}q."), "looks like a Python pickle"));
  CHECK(contains(readError("\x89PNG\r\n"), "looks like a PNG picture"));
  CHECK(contains(readError(std::string("\x10\0\0\0\0\0\0\0{\"a\"", 12)), "looks like a safetensors file"));
  CHECK(contains(readError("hello"), "is not valid JSON"));
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
  CHECK(contains(error(folder / "missing"), "No such file or directory"));
  CHECK(contains(error(folder.path()), "is a directory, not a regular file"));
  CHECK(contains(error(folder / "fifo"), "is a FIFO, not a regular file"));
  CHECK(contains(error("/dev/null"), "is a device, not a regular file"));
  CHECK(contains(error(""), "not a path"));
  if (::geteuid() != 0) {  // root reads everything
    writeFile(folder / "secret", "{}");
    ::chmod((folder / "secret").c_str(), 0);
    CHECK(contains(error(folder / "secret"), "Permission denied"));
  }
}

TEST_CASE("a file that changes while it is read (J29)") {
  const TempFolder folder;
  writeFile(folder / "a", written(small()));
  FileSource source(folder / "a", "load");
  writeFile(folder / "a", written(small()) + " ");
  CHECK(contains(messageOf<IoError>([&] { readCheckpoint(source); }), "was changed while it was read"));
}
