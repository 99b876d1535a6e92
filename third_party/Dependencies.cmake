# Every dependency once: how CMake finds it, its Debian package, and why ember has it.
list(PREPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})

# ember_needs(<package> <Debian package> <why>): find it or say what to install.
macro(ember_needs name debian why)
  find_package(${name} QUIET)
  if(NOT ${name}_FOUND)
    message(FATAL_ERROR "ember needs ${name}: ${why}.\n"
      "It was not found here. Debian package: ${debian}. `third_party/install` installs all that is missing.")
  endif()
endmacro()

ember_needs(OneDNN         libdnnl-dev             "convolutions, matrix products and pooling in f32 and bf16")
ember_needs(OpenBLASOpenMP libopenblas-openmp-dev  "matrix products in f64; only the OpenMP build shares oneDNN's threads")
ember_needs(Gomp           g++                     "libgomp, the one pool of threads (oneDNN's and OpenBLAS's too)")
ember_needs(Threads        libc6-dev               "the loader's prefetch thread")
ember_needs(fmt            libfmt-dev              "formatting, in the public interface")
ember_needs(nlohmann_json  nlohmann-json3-dev      "checkpoints are readable JSON")
ember_needs(ZLIB           zlib1g-dev              "gzipped data sets, CRC of checkpoints")
if(EMBER_BUILD_EXAMPLES)
  ember_needs(CLI11        libcli11-dev            "the command lines of the examples")
endif()
if(EMBER_BUILD_TESTS)
  ember_needs(doctest      doctest-dev             "the tests")
endif()
