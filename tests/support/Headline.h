#pragma once
#include <exception>
#include <string>

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

/// The whole message of the error that `call` throws, empty if it throws none.
template <class Call>
std::string messageOf(Call&& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace ember::test
