# How everything in this project is compiled: build type, ccache, warnings, sanitizers.

if(PROJECT_IS_TOP_LEVEL)
  if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
  endif()
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

  find_program(LIKEWISE_CCACHE ccache)
  mark_as_advanced(LIKEWISE_CCACHE)
  if(LIKEWISE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # What ccache wants to be told of precompiled headers.
    set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${LIKEWISE_CCACHE})
  endif()
endif()

# The settings of each target compiled here; nothing of it reaches the users of an installed copy.
function(likewise_settings target)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  if(MSVC)
    target_compile_options(${target} PRIVATE /W4 /bigobj $<$<BOOL:${LIKEWISE_WERROR}>:/WX>)
    return()
  endif()
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion $<$<BOOL:${LIKEWISE_WERROR}>:-Werror>)
  # A precompiled header fills the memory at which gcc starts to collect garbage: a fifth of the time.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=600000>)
  if(LIKEWISE_SANITIZE)
    # The checks of each pointer make gcc take 1.6 times as long over Eigen's templates; the address sanitizer
    # and Eigen's own assertions find most of what they find.
    target_compile_options(${target} PRIVATE
      -fsanitize=${LIKEWISE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
      -fno-sanitize=null,alignment,object-size,vptr
      # Instrumented code makes gcc see uninitialized values where there are none.
      $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
    target_link_options(${target} PUBLIC $<BUILD_INTERFACE:-fsanitize=${LIKEWISE_SANITIZE}>)
  endif()
endfunction()
