# Run on a static library once it is made: its copies of Eigen's functions become likewise_Eigen's (own_eigen.cmake).
# Names are lengths and identifiers one after the other, so "5Eigen" is the namespace wherever no digit precedes it.
# What likewise itself defines keeps its name, also where it takes Eigen's types. Weak symbols (V, W, u), and the names of
# the groups that they lie in (n), or a linker would drop ours for a program's group of the same name.
execute_process(COMMAND ${NM} --defined-only --format=posix ${LIBRARY}
  OUTPUT_VARIABLE listed COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n ]*5Eigen[^\n ]* [VWnu]" symbols "${listed}")
list(TRANSFORM symbols REPLACE " [VWnu]$" "")
list(FILTER symbols EXCLUDE REGEX "^_ZN?K?8likewise|^_ZT.N?8likewise")
list(FILTER symbols EXCLUDE REGEX "14likewise_Eigen")
list(REMOVE_DUPLICATES symbols)
set(map "")
foreach(symbol IN LISTS symbols)
  string(REGEX REPLACE "([^0-9])5Eigen" "\\114likewise_Eigen" renamed "${symbol}")
  string(APPEND map "${symbol} ${renamed}\n")
endforeach()
file(WRITE ${LIBRARY}.names "${map}")
execute_process(COMMAND ${OBJCOPY} --redefine-syms=${LIBRARY}.names ${LIBRARY} COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE ${LIBRARY}.names)
