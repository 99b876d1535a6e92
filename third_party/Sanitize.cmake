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
  # g++ says so itself. What core/Simd.h then leaves out would run before the sanitizer is there: a resolver of clones.
  add_compile_definitions($<$<CXX_COMPILER_ID:Clang>:__SANITIZE_THREAD__=1>)
else()
  message(FATAL_ERROR "EMBER_SANITIZE is \"${EMBER_SANITIZE}\", expected address or thread")
endif()
add_compile_options(${sanitizers} -fno-omit-frame-pointer -gline-tables-only)
add_link_options(${sanitizers})
# A build that is compiled for one run of the tests: -O1 is ready in half the time.
set(CMAKE_CXX_FLAGS_RELEASE "-O1" CACHE STRING "" FORCE)
