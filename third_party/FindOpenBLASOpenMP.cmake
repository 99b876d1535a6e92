# The OpenMP build of OpenBLAS as ember::openblas, from its own folder; who links it sets an rpath to that folder, which
# OpenBLASOpenMP_FOLDER names. Where the pthread build is installed too, Debian's alternatives point libopenblas.so.0 at
# that one, and a second pool of threads beside oneDNN's slows a small net 34 times: no other folder will do.
find_library(OpenBLASOpenMP_LIBRARY openblas NO_DEFAULT_PATH
  PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp /usr/lib/openblas-openmp)
find_path(OpenBLASOpenMP_INCLUDE_DIR cblas.h NO_DEFAULT_PATH
  PATHS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp /usr/include/openblas-openmp)
mark_as_advanced(OpenBLASOpenMP_LIBRARY OpenBLASOpenMP_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenBLASOpenMP REQUIRED_VARS OpenBLASOpenMP_LIBRARY OpenBLASOpenMP_INCLUDE_DIR)

if(OpenBLASOpenMP_FOUND)
  get_filename_component(OpenBLASOpenMP_FOLDER ${OpenBLASOpenMP_LIBRARY} DIRECTORY)
  if(NOT TARGET ember::openblas)
    add_library(ember::openblas UNKNOWN IMPORTED)
    set_target_properties(ember::openblas PROPERTIES
      IMPORTED_LOCATION ${OpenBLASOpenMP_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${OpenBLASOpenMP_INCLUDE_DIR})
  endif()
endif()
