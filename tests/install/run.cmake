# Installs likewise from BUILD_DIR into an empty folder, then builds and runs the project beside this file against it.
set(prefix ${BUILD_DIR}/install-test/prefix)
set(project_build ${BUILD_DIR}/install-test/build)
file(REMOVE_RECURSE ${BUILD_DIR}/install-test)

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${prefix})
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${project_build} -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
  -DCMAKE_PREFIX_PATH=${prefix} -DEXPECTED_VERSION=${VERSION} -DSHARED_LIBRARY=${SHARED_LIBRARY})
run(${CMAKE_COMMAND} --build ${project_build} --parallel 2)
foreach(program IN ITEMS release debug native address)
  foreach(kind IN ITEMS installed shared)
    message(STATUS "${program}, ${kind}")
    run(${project_build}/${program}_${kind})
  endforeach()
endforeach()
run(${CMAKE_COMMAND} --build ${project_build} --target alone)
run(${project_build}/alone)

function(refused target message)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${project_build} --target ${target}
    RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(status EQUAL 0 OR NOT said MATCHES "${message}")
    message(FATAL_ERROR "${target} must fail with \"${message}\"; it said:\n${said}")
  endif()
endfunction()
refused(refused_index "EigenIndexBytes<4>.*must_fit_the_settings_of_the_likewise_library")
refused(refused_integers "likewise takes matrices of float or double")
refused(refused_mixed "must hold the same scalar")

# A plain installation is for C++: no extension module; its license, and a file for pkg-config.
file(GLOB_RECURSE installed RELATIVE ${prefix} ${prefix}/*)
foreach(wanted IN ITEMS LICENSE likewise.pc likewiseConfig.cmake likewise/likewise.hpp)
  if(NOT "${installed};" MATCHES "${wanted};")
    message(FATAL_ERROR "${wanted} is not installed: ${installed}")
  endif()
endforeach()
if(installed MATCHES "_core")
  message(FATAL_ERROR "the extension module is installed with the library: ${installed}")
endif()

# As a part of another project it is not installed with that project.
set(subproject ${BUILD_DIR}/install-test/subproject)
run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR}/subproject -B ${subproject} -G ${GENERATOR}
  -DCMAKE_CXX_COMPILER=${COMPILER} -DLIKEWISE_SOURCE=${CMAKE_CURRENT_LIST_DIR}/../.. -DEXPECTED_VERSION=${VERSION})
file(READ ${subproject}/likewise/cmake_install.cmake script)
if(script MATCHES "likewise.hpp|include/likewise|liblikewise")
  message(FATAL_ERROR "a subproject installs likewise with its parent")
endif()

# What the shared library shows: nothing of Eigen or of the engine.
if(NM)
  execute_process(COMMAND ${NM} -D --defined-only --format=posix ${SHARED_LIBRARY}
    OUTPUT_VARIABLE shown COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "_Z[^\n ]*" shown "${shown}")
  list(LENGTH shown n_shown)
  set(public ${shown})
  list(FILTER public INCLUDE REGEX "^_ZN?K?8likewise|^_ZT.N?8likewise")
  list(FILTER public EXCLUDE REGEX "^_ZNK?8likewise6engine")
  list(REMOVE_ITEM shown ${public})
  message(STATUS "${n_shown} names are exported")
  if(shown)
    message(FATAL_ERROR "the shared library exports ${shown}")
  endif()
endif()
