# Readers of bytes from outside against bytes that nobody thought of. ember_test_fuzz replays the inputs of seeds/ and
# found/ in every build, a test for each target; fuzz_NAME searches on with libFuzzer, in builds of clang++ with
# EMBER_SANITIZE=address (tests/fuzz/run). A target is a function of fuzz/Targets.h in a file of its name.
set(fuzz_targets Checkpoint LoadNet Run Idx Json Onnx)
set(fuzz_json_targets Checkpoint LoadNet Run Json)

set(fuzz_sources ${fuzz_targets})
list(TRANSFORM fuzz_sources REPLACE "(.+)" "fuzz/\\1.cpp")
set(fuzz_readers conformance/Onnx.cpp conformance/Wire.cpp)
add_library(fuzz_parts OBJECT ${fuzz_sources} ${fuzz_readers} support/Draw.cpp)
target_include_directories(fuzz_parts PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(fuzz_parts PUBLIC ${ember_warnings} ${test_optimisation})
target_link_libraries(fuzz_parts PUBLIC ember::ember ZLIB::ZLIB)

add_executable(ember_test_fuzz fuzz/Replay.cpp)
target_link_libraries(ember_test_fuzz PRIVATE fuzz_parts)
foreach(target ${fuzz_targets})
  set(inputs ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/seeds/${target})
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/found/${target})
    list(APPEND inputs ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/found/${target})
  endif()
  ember_test(fuzz/${target} "" ember_test_fuzz ${target} ${inputs})
endforeach()

# Makes seeds anew after a change of the format.
file(GLOB fuzz_layer_samples CONFIGURE_DEPENDS nn/LayerSamples*.cpp)
add_executable(fuzz_seeds EXCLUDE_FROM_ALL fuzz/Seeds.cpp support/Draw.cpp ${fuzz_layer_samples})
target_include_directories(fuzz_seeds PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_options(fuzz_seeds PRIVATE ${ember_warnings} ${test_optimisation})
target_link_libraries(fuzz_seeds PRIVATE ember::ember)

if(NOT EMBER_SANITIZE STREQUAL "address" OR NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  return()
endif()
set_source_files_properties(${fuzz_sources} ${fuzz_readers} PROPERTIES
  COMPILE_OPTIONS "-fsanitize=fuzzer-no-link;-O2"
  SKIP_PRECOMPILE_HEADERS ON)  # which are not optimised
add_library(fuzz_mutator OBJECT fuzz/JsonMutator.cpp)
target_compile_options(fuzz_mutator PRIVATE -O2)
target_link_libraries(fuzz_mutator PUBLIC fuzz_parts PRIVATE $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)
foreach(target ${fuzz_targets})
  add_executable(fuzz_${target} fuzz/Entry.cpp)
  target_compile_definitions(fuzz_${target} PRIVATE FUZZ_TARGET=${target})
  target_link_libraries(fuzz_${target} PRIVATE fuzz_parts)
  target_link_options(fuzz_${target} PRIVATE -fsanitize=fuzzer)
  if(target IN_LIST fuzz_json_targets)
    target_link_libraries(fuzz_${target} PRIVATE fuzz_mutator)
  endif()
endforeach()
