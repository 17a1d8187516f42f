# Finds the packages that likewise is built with. All missing ones are collected into one message.

set(likewise_missing "")

# likewise_need(TARGET NAME WAY...): without the imported target, NAME and the ways to get it join the message.
function(likewise_need target name)
  if(NOT TARGET ${target})
    list(JOIN ARGN "\n      " ways)
    set(likewise_missing "${likewise_missing}\n  ${name}\n      ${ways}" PARENT_SCOPE)
  endif()
endfunction()

# Asked for without a version: Eigen 5 answers "incompatible" to a request for 3.4.
if(NOT TARGET Eigen3::Eigen)  # a parent project may have brought its own
  find_package(Eigen3 CONFIG QUIET)
endif()
if(Eigen3_VERSION AND Eigen3_VERSION VERSION_LESS 3.4)
  message(FATAL_ERROR "likewise needs Eigen 3.4 or newer; found ${Eigen3_VERSION} in ${Eigen3_DIR}. "
    "Install a newer one and point CMAKE_PREFIX_PATH at it.")
endif()
likewise_need(Eigen3::Eigen "Eigen 3.4 or newer"
  "apt: libeigen3-dev" "dnf: eigen3-devel" "brew: eigen" "conda (conda-forge): eigen")

if(NOT TARGET hwy::hwy)
  find_package(hwy CONFIG QUIET)
endif()
likewise_need(hwy::hwy "Highway 1.0.3 or newer"
  "apt: libhwy-dev" "dnf: highway-devel" "brew: highway" "conda (conda-forge): libhwy")

find_package(OpenMP QUIET COMPONENTS CXX)
likewise_need(OpenMP::OpenMP_CXX "OpenMP for this compiler (${CMAKE_CXX_COMPILER_ID})"
  "apt: nothing for g++, libomp-dev for clang" "dnf: nothing for g++, libomp-devel for clang"
  "brew: libomp, then set OpenMP_ROOT=$(brew --prefix libomp)" "conda (conda-forge): llvm-openmp with clang")

if(LIKEWISE_TESTS)
  find_package(Catch2 CONFIG QUIET)
  likewise_need(Catch2::Catch2WithMain "Catch2 2.13 or 3 (for LIKEWISE_TESTS)"
    "apt: catch2" "dnf: catch-devel" "brew: catch2" "conda (conda-forge): catch2")
endif()

if(LIKEWISE_TESTS OR LIKEWISE_BENCHMARKS)  # another k-d tree to compare with
  find_package(nanoflann CONFIG QUIET)
  likewise_need(nanoflann::nanoflann "nanoflann 1.4.3 or newer (for LIKEWISE_TESTS, LIKEWISE_BENCHMARKS)"
    "apt: libnanoflann-dev" "dnf: nanoflann-devel" "brew: nanoflann" "conda (conda-forge): nanoflann")
endif()

if(LIKEWISE_BENCHMARKS)
  find_package(benchmark CONFIG QUIET)
  likewise_need(benchmark::benchmark "Google Benchmark (for LIKEWISE_BENCHMARKS)"
    "apt: libbenchmark-dev" "dnf: google-benchmark-devel" "brew: google-benchmark" "conda (conda-forge): benchmark")
endif()

if(LIKEWISE_PYTHON)
  find_package(Python 3.9 QUIET COMPONENTS Interpreter Development.Module)
  likewise_need(Python::Module "Python 3.9 or newer with its headers (for LIKEWISE_PYTHON)"
    "apt: python3-dev" "dnf: python3-devel" "brew: python" "conda (conda-forge): python")
  if(Python_EXECUTABLE)
    execute_process(COMMAND ${Python_EXECUTABLE} -m pybind11 --cmakedir
      OUTPUT_VARIABLE pybind11_ROOT OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    find_package(pybind11 CONFIG QUIET)
  endif()
  likewise_need(pybind11::module "pybind11 for ${Python_EXECUTABLE} (for LIKEWISE_PYTHON)"
    "any system: ${Python_EXECUTABLE} -m pip install pybind11"
    "apt: pybind11-dev" "dnf: pybind11-devel" "brew: pybind11" "conda (conda-forge): pybind11")
endif()

if(likewise_missing)
  message(FATAL_ERROR "likewise did not find these packages. Install them, each by the line of your system, "
    "or name their folders in CMAKE_PREFIX_PATH.${likewise_missing}\n"
    "With vcpkg, vcpkg.json names them all.")
endif()
