// The command line of examples whose main() takes none, so that their text stays as short as it is: --profile [FILE]
// and --help. Linked to those alone (third_party/Examples.cmake). glibc hands every initialiser the arguments of main().
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "support/Profile.h"
#include "support/RunFiles.h"

namespace {

std::unique_ptr<Profile> profile;

[[gnu::constructor]] void readCommandLine(int argc, char** argv, char**) {
  const std::string path = argc > 0 ? argv[0] : "", program = path.substr(path.rfind('/') + 1);
  std::string file;
  CLI::App app("", program);
  app.set_help_flag("--help", "print this and exit");
  addProfileFlag(app, file);
  try {
    app.parse(argc, argv);
    profile = std::make_unique<Profile>(file);
    return;
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    std::exit(0);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}: {}\n{} --help lists the flags\n", program, error.what(), program);
    std::exit(2);
  } catch (const UsageError& error) {
    fmt::print(stderr, "{}: {}\n", program, error.what());
    std::exit(2);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    std::exit(1);
  }
}

}  // namespace
