#pragma once
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

/// What programs print. Where standard output cannot be written (closed, a full disk, a reader that is gone) the
/// program goes on: it says so once on standard error, and its exit code does.
namespace console {

/// To be called first in main(): a reader that goes away becomes an error instead of a signal, and where one of the
/// three standard streams is closed no file of the program's takes its place.
void open();

void write(std::string_view text);
template <class... T>
void print(fmt::format_string<T...> format, T&&... values) {
  write(fmt::format(format, std::forward<T>(values)...));
}
/// A line to standard error; that it cannot be written changes nothing.
void complain(std::string_view text);

/// `code`, or 1 for a success of which something that was printed is lost.
int exitCode(int code);

}  // namespace console
