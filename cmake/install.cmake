# An installed copy: headers, library, license, and what find_package(likewise) and pkg-config read.

include(CMakePackageConfigHelpers)
set(likewise_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/likewise)

install(DIRECTORY include/likewise DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
install(TARGETS likewise EXPORT likewise COMPONENT development)
install(EXPORT likewise NAMESPACE likewise:: FILE likewiseTargets.cmake
  DESTINATION ${likewise_cmake_dir} COMPONENT development)

configure_package_config_file(cmake/likewiseConfig.cmake.in likewiseConfig.cmake
  INSTALL_DESTINATION ${likewise_cmake_dir})
write_basic_package_version_file(likewiseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/likewiseConfig.cmake ${PROJECT_BINARY_DIR}/likewiseConfigVersion.cmake
  DESTINATION ${likewise_cmake_dir} COMPONENT development)

# pkg-config: relative to where the file lies, so that the prefix can be moved.
file(RELATIVE_PATH likewise_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
if(NOT BUILD_SHARED_LIBS)  # a static library leaves what it links to the one who links it
  set(likewise_pc_requires ", libhwy")
  set(likewise_pc_libs " ${OpenMP_CXX_FLAGS}")
endif()
configure_file(cmake/likewise.pc.in likewise.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/likewise.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

if(PROJECT_IS_TOP_LEVEL)
  # cmake --build . --target uninstall: what the last `cmake --install` of this folder wrote.
  add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -DMANIFEST=${PROJECT_BINARY_DIR}/install_manifest
    -P ${PROJECT_SOURCE_DIR}/cmake/uninstall.cmake)

  set(CPACK_PACKAGE_VENDOR likewise)
  set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Kernel methods and attention as one mechanism")
  set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
  set(CPACK_INSTALL_CMAKE_PROJECTS ${PROJECT_BINARY_DIR} likewise development /)
  set(CPACK_DEBIAN_PACKAGE_MAINTAINER likewise)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS libeigen3-dev)
  include(CPack)
endif()
