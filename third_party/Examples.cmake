# Every examples/NAME.cpp and every folder examples/NAME/ with sources is a program NAME: target example_NAME,
# built as <build>/examples/NAME. What several of them share lies in examples/support, which is no program.
# In builds that watch themselves they are not optimised: what reads command lines takes longest to compile of all.
set(example_optimisation $<$<BOOL:${EMBER_SANITIZE}>:-O0>)
file(GLOB support CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/support/*.cpp)
add_library(example_support STATIC EXCLUDE_FROM_ALL ${support})
set_target_properties(example_support PROPERTIES CXX_EXTENSIONS OFF)
target_include_directories(example_support PUBLIC ${PROJECT_SOURCE_DIR}/examples)  # "support/Classify.h"
target_link_libraries(example_support PUBLIC ember::ember CLI11::CLI11)
target_compile_options(example_support PRIVATE ${ember_warnings} ${example_optimisation})

function(ember_example name)
  add_executable(example_${name} ${ARGN})
  target_link_libraries(example_${name} PRIVATE example_support)
  target_compile_options(example_${name} PRIVATE ${ember_warnings} ${example_optimisation})
  set_target_properties(example_${name} PROPERTIES
    OUTPUT_NAME ${name}
    CXX_EXTENSIONS OFF
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/examples)
  set_property(GLOBAL APPEND PROPERTY EMBER_EXAMPLES ${name})
  set_property(GLOBAL PROPERTY EMBER_EXAMPLE_${name}_SOURCES ${ARGN})
endfunction()

file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.cpp)
foreach(file ${files})
  get_filename_component(name ${file} NAME_WE)
  ember_example(${name} ${file})
  file(STRINGS ${file} takes_arguments REGEX "int main\\(int")
  if(NOT takes_arguments)
    target_sources(example_${name} PRIVATE ${PROJECT_SOURCE_DIR}/examples/support/plain/CommandLine.cpp)
  endif()
endforeach()

file(GLOB folders CONFIGURE_DEPENDS LIST_DIRECTORIES true ${PROJECT_SOURCE_DIR}/examples/*)
foreach(folder ${folders})
  if(IS_DIRECTORY ${folder})
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
    get_filename_component(name ${folder} NAME)
    if(sources AND NOT name STREQUAL "support")
      ember_example(${name} ${sources})
    endif()
  endif()
endforeach()
