#include <sys/stat.h>
#include <unistd.h>

#include "CheckpointText.h"
#include "support/Headline.h"
#include "support/TempFolder.h"

using namespace ember;
using namespace ember::io;
using namespace ember::test;

TEST_CASE("migrate writes the present version to a new file and loses nothing") {
  const TempFolder folder;
  std::string later = replaced(written(small(), {.readable = true}), "\"1.0\"", "\"1.5\"");
  later = replaced(later, "  \"data\": {", "  \"licence\": \"free\",\n  \"data\": {");
  later = replaced(later, "\"name\": \"count\",", "\"unit\": \"batches\", \"name\": \"count\",");
  writeFile(folder / "old", later);
  migrate(folder / "old", folder / "new");
  CHECK(readFile(folder / "old") == later);
  const std::string text = readFile(folder / "new");
  CHECK(contains(text, "\"format_version\": \"1.0\""));
  CHECK(contains(text, "\"licence\": \"free\""));
  CHECK(contains(line(text, "\"count\", \"role\""), "\"unit\": \"batches\""));
  const Checkpoint before = readText(later), after = readText(text);
  CHECK(after.writer == before.writer);
  for (std::size_t i = 0; i < 3; ++i) CHECK(bytesOf(after.tensors[i].array) == bytesOf(before.tensors[i].array));
  migrate(folder / "old", folder / "readable", {.readable = true});
  CHECK(contains(readFile(folder / "readable"), "\"encoding\": \"decimal\""));
  CHECK(folder.list() == "new old readable");
}

TEST_CASE("migrate never writes over anything, and leaves nothing when it fails") {
  const TempFolder folder;
  writeFile(folder / "old", written(small()));
  writeFile(folder / "taken", "mine");
  ::symlink("nowhere", (folder / "link").c_str());
  ::mkdir((folder / "folder").c_str(), 0700);
  const auto error = [&](const std::string& from, const std::string& to) {
    return messageOf<IoError>([&] { migrate(from, to); });
  };
  for (const char* to : {"taken", "link", "folder", "old"}) {
    CHECK(contains(error(folder / "old", folder / to), std::string("/") + to + "\" exists"));
    CHECK(contains(error(folder / "missing", folder / to), "exists"));
  }
  CHECK(readFile(folder / "taken") == "mine");
  CHECK(contains(error(folder / "missing", folder / "new"), "No such file or directory"));
  CHECK(contains(error(folder / "taken", folder / "new"), "is not valid JSON"));
  CHECK(contains(error(folder / "old", folder / "taken/new"), "cannot examine"));
  CHECK(contains(error(folder / "old", folder / "nowhere/new"), "nowhere"));
  writeFile(folder / "newer", replaced(written(small()), "\"1.0\"", "\"2.0\""));
  CHECK(contains(error(folder / "newer", folder / "new"), "this ember reads 1.x"));
  CHECK(folder.list() == "folder link newer old taken");
}
