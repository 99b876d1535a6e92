# The OpenMP build of OpenBLAS as ember::openblas, from its own folder and with an rpath to it. Where the pthread build
# is installed too, Debian's alternatives point libopenblas.so.0 at that one, and a second pool of threads beside
# oneDNN's slows a small net 34 times. So a libopenblas.so from any other folder won't do.
find_library(OpenBLASOpenMP_LIBRARY openblas NO_DEFAULT_PATH
  PATHS /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp /usr/lib/openblas-openmp)
find_path(OpenBLASOpenMP_INCLUDE_DIR cblas.h NO_DEFAULT_PATH
  PATHS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp /usr/include/openblas-openmp)
mark_as_advanced(OpenBLASOpenMP_LIBRARY OpenBLASOpenMP_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenBLASOpenMP REQUIRED_VARS OpenBLASOpenMP_LIBRARY OpenBLASOpenMP_INCLUDE_DIR)

if(OpenBLASOpenMP_FOUND AND NOT TARGET ember::openblas)
  get_filename_component(openblas_folder ${OpenBLASOpenMP_LIBRARY} DIRECTORY)
  add_library(ember::openblas UNKNOWN IMPORTED)
  set_target_properties(ember::openblas PROPERTIES
    IMPORTED_LOCATION ${OpenBLASOpenMP_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${OpenBLASOpenMP_INCLUDE_DIR}
    INTERFACE_LINK_OPTIONS LINKER:-rpath,${openblas_folder})
endif()
