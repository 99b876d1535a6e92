# What `cmake --install` gives: the library, its headers, find_package(ember), pkg-config's ember.pc.

# Headers stay private when they belong to oneDNN's side or include a dependency that users need not have.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
  core/*.h autograd/*.h nn/*.h optim/*.h)
list(FILTER headers EXCLUDE REGEX "^core/kernels/onednn/")
list(REMOVE_ITEM headers optim/ember.h)
foreach(header ${headers})
  file(STRINGS ${header} private LIMIT_COUNT 1
    REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"](oneapi/|dnnl|nlohmann/json\\.hpp|cblas|zlib)")
  if(NOT private)
    get_filename_component(folder ${header} DIRECTORY)
    install(FILES ${header} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ember/${folder})
  endif()
endforeach()
if(EXISTS ${PROJECT_SOURCE_DIR}/optim/ember.h)
  install(FILES optim/ember.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ember)
endif()

# The right OpenBLAS is found by an rpath: in libember.so, or in whatever links libember.a.
set_target_properties(ember PROPERTIES INSTALL_RPATH ${OpenBLASOpenMP_FOLDER})
if(NOT BUILD_SHARED_LIBS)
  target_link_options(ember INTERFACE LINKER:-rpath,${OpenBLASOpenMP_FOLDER})
endif()
install(TARGETS ember EXPORT emberTargets)

# ---- find_package(ember)
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/ember)
install(EXPORT emberTargets NAMESPACE ember:: DESTINATION ${package_folder})
configure_package_config_file(third_party/emberConfig.cmake.in ${PROJECT_BINARY_DIR}/emberConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/emberConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/emberConfig.cmake ${PROJECT_BINARY_DIR}/emberConfigVersion.cmake
  third_party/FindOneDNN.cmake third_party/FindOpenBLASOpenMP.cmake third_party/FindGomp.cmake
  DESTINATION ${package_folder})

# ---- ember.pc: what a static libember.a needs stands in Libs and Requires there, private otherwise.
set(pc_needs_libs "${OneDNN_LIBRARY} ${OpenBLASOpenMP_LIBRARY} -Wl,-rpath,${OpenBLASOpenMP_FOLDER} -lgomp -pthread")
if(BUILD_SHARED_LIBS)
  set(pc_requires "Requires: fmt\nRequires.private: zlib")
  set(pc_libs "Libs: -L\${libdir} -lember\nLibs.private: ${pc_needs_libs}")
else()
  set(pc_requires "Requires: fmt, zlib")
  set(pc_libs "Libs: -L\${libdir} -lember ${pc_needs_libs}")
endif()
# The prefix is where ember.pc lies, so the installed folder can be moved.
file(RELATIVE_PATH pc_up ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_up ${pc_up})
configure_file(third_party/ember.pc.in ${PROJECT_BINARY_DIR}/ember.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ember.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
