# An installed copy: headers, library, and what find_package(likewise) reads.

include(CMakePackageConfigHelpers)
set(likewise_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/likewise)

install(DIRECTORY include/likewise DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(TARGETS likewise EXPORT likewise COMPONENT development)
install(EXPORT likewise NAMESPACE likewise:: FILE likewiseTargets.cmake
  DESTINATION ${likewise_cmake_dir} COMPONENT development)

configure_package_config_file(cmake/likewiseConfig.cmake.in likewiseConfig.cmake
  INSTALL_DESTINATION ${likewise_cmake_dir})
write_basic_package_version_file(likewiseConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/likewiseConfig.cmake ${PROJECT_BINARY_DIR}/likewiseConfigVersion.cmake
  DESTINATION ${likewise_cmake_dir} COMPONENT development)
