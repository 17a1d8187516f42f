# The library's Eigen is its own. Eigen's code is templates: library and program both hold compiled copies of the same
# functions, and a linker keeps one of them. A program compiled for another instruction set or under the address
# sanitizer aligns and frees its matrices in another way, so the library must not run the program's copies.

# likewise_owns_its_eigen(RESULT): whether this can be done here; then it is done.
function(likewise_owns_its_eigen target result)
  get_target_property(type ${target} TYPE)
  set(${result} OFF PARENT_SCOPE)
  if(NOT UNIX OR APPLE)  # src/link_check.cpp refuses the programs that do not fit
    return()
  endif()
  if(type STREQUAL SHARED_LIBRARY)
    likewise_export_public_names(${target})
  elseif(CMAKE_OBJCOPY AND CMAKE_NM AND NOT CMAKE_INTERPROCEDURAL_OPTIMIZATION AND NOT CMAKE_CXX_FLAGS MATCHES "-flto")
    add_custom_command(TARGET ${target} POST_BUILD VERBATIM
      COMMAND ${CMAKE_COMMAND} -DLIBRARY=$<TARGET_FILE:${target}> -DNM=${CMAKE_NM} -DOBJCOPY=${CMAKE_OBJCOPY}
        -P ${PROJECT_SOURCE_DIR}/cmake/rename_eigen.cmake)
  else()
    return()
  endif()
  set(${result} ON PARENT_SCOPE)
endfunction()

# A shared library shows what its public headers declare, and nothing else: no Eigen, no engine.
function(likewise_export_public_names target)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/likewise/*.hpp)
  set(names "")
  foreach(header IN LISTS headers)
    file(READ ${header} text)
    string(REGEX REPLACE "//[^\n]*" "" text "${text}")
    string(REGEX MATCHALL "[A-Za-z_][A-Za-z0-9_]* *\\(|(class|struct) +[A-Za-z_][A-Za-z0-9_]*" found "${text}")
    list(TRANSFORM found REPLACE "^(class|struct) +| *\\($" "")
    list(APPEND names ${found})
  endforeach()
  list(REMOVE_DUPLICATES names)
  set(symbols "    _ZN8likewisean*;\n")  # operator&
  foreach(name IN LISTS names)
    string(LENGTH ${name} length)
    foreach(scope IN ITEMS "" 2nn 4maps 6detail)
      string(APPEND symbols "    _ZN8likewise${scope}${length}${name}*; _ZNK8likewise${scope}${length}${name}*;"
        " _ZT?N8likewise${scope}${length}${name}*;\n")
    endforeach()
  endforeach()
  set(script ${PROJECT_BINARY_DIR}/public_names.map)
  file(CONFIGURE OUTPUT ${script} CONTENT "{\n  global:\n${symbols}  local: *;\n};\n" @ONLY)
  # Not LINKER:, which takes a path apart at its commas.
  target_link_options(${target} PRIVATE "SHELL:-Xlinker \"--version-script=${script}\"")
  set_target_properties(${target} PROPERTIES LINK_DEPENDS ${script})
endfunction()
