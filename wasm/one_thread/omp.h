// OpenMP where there is one thread: what src/engine/parallel.cpp asks. Its parallel regions are run by who meets them.
#pragma once

inline int omp_get_max_threads() { return 1; }
inline int omp_get_num_procs() { return 1; }
inline int omp_get_thread_num() { return 0; }
