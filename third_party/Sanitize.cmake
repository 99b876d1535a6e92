# EMBER_SANITIZE: every source of this build watches its memory and its arithmetic (address), or its threads (thread).
# Built with clang++, "address" also counts the branches taken in the readers of files, which the programs of tests/fuzz
# are guided by.
if(NOT EMBER_SANITIZE)
  return()
endif()
if(EMBER_SANITIZE STREQUAL "address")
  set(sanitizers -fsanitize=address,undefined -fno-sanitize-recover=all)
elseif(EMBER_SANITIZE STREQUAL "thread")
  set(sanitizers -fsanitize=thread)
else()
  message(FATAL_ERROR "EMBER_SANITIZE is \"${EMBER_SANITIZE}\", expected address or thread")
endif()
add_compile_options(${sanitizers} -fno-omit-frame-pointer -gline-tables-only)
add_link_options(${sanitizers})
# A build that is compiled for one run of the tests: -O1 is ready in half the time.
set(CMAKE_CXX_FLAGS_RELEASE "-O1" CACHE STRING "" FORCE)
