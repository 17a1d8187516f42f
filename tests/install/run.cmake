# Installs likewise from BUILD_DIR into an empty folder, then configures, builds and runs the project beside
# this file against it.
set(prefix ${BUILD_DIR}/install-test/prefix)
set(project_build ${BUILD_DIR}/install-test/build)
file(REMOVE_RECURSE ${BUILD_DIR}/install-test)

foreach(step IN ITEMS
    "--install;${BUILD_DIR};--prefix;${prefix};--component;development"
    "-S;${CMAKE_CURRENT_LIST_DIR};-B;${project_build};-G;${GENERATOR};-DCMAKE_CXX_COMPILER=${COMPILER}\
;-DCMAKE_PREFIX_PATH=${prefix};-DEXPECTED_VERSION=${VERSION}"
    "--build;${project_build}")
  execute_process(COMMAND ${CMAKE_COMMAND} ${step} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
execute_process(COMMAND ${project_build}/app COMMAND_ERROR_IS_FATAL ANY)
