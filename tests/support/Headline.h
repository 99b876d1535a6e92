#pragma once
#include <exception>
#include <string>
#include <string_view>

#include <ember/core/Error.h>

namespace ember::test {

/// First line of the E that `call` throws; says so if it throws something else or nothing.
template <class E = Error, class Call>
std::string headlineOf(Call&& call) {
  try {
    call();
  } catch (const E& error) {
    return error.headline();
  } catch (const std::exception& error) {
    return std::string("another exception: ") + error.what();
  }
  return "nothing was thrown";
}

/// The whole message of the E that `call` throws; "another error: ..." or "no error" otherwise.
template <class E = Error, class Call>
std::string messageOf(Call&& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another error: ") + error.what();
  }
  return "no error";
}

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace ember::test
