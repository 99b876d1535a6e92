# libgomp as ember::gomp, by its full path and for clang too: core/Threads.cpp calls it directly, nothing is compiled
# with -fopenmp, and so no second OpenMP runtime (clang's libomp) ever comes in.
find_library(Gomp_LIBRARY NAMES gomp libgomp.so.1 HINTS ${CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES})
mark_as_advanced(Gomp_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Gomp REQUIRED_VARS Gomp_LIBRARY)

if(Gomp_FOUND AND NOT TARGET ember::gomp)
  add_library(ember::gomp UNKNOWN IMPORTED)
  set_target_properties(ember::gomp PROPERTIES IMPORTED_LOCATION ${Gomp_LIBRARY})
endif()
