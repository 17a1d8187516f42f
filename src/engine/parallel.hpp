// Work over a fixed number of blocks, spread over threads; results never depend on how many.
#pragma once

#include <algorithm>
#include <functional>

#include <likewise/execution.hpp>
#include <likewise/types.hpp>

namespace likewise::engine {

/// The threads that a call under `run` may use: n_jobs, else OMP_NUM_THREADS, else all cores; 1 after a fork.
int thread_count(const Execution& run);

/// `run` with one thread where `operations` are too few for the start of a thread to pay.
Execution sized(const Execution& run, double operations);

/// Calls work(block) once for every block in [0, n_blocks), in any order. The calling thread reports progress
/// as `what` and asks for a stop; the first exception of any block ends the work and is thrown here.
void parallel_blocks(Index n_blocks, const Execution& run, const char* what,
                     const std::function<void(Index)>& work);

/// The same round after round: work(round, block) of all blocks of a round is done before the next begins.
void parallel_rounds(Index n_rounds, Index n_blocks, const Execution& run, const char* what,
                     const std::function<void(Index, Index)>& work);

/// The blocks of [0, n) of at most `size` each.
inline Index block_count(Index n, Index size) { return (n + size - 1) / size; }

struct Block {
  Index begin, size;
};
inline Block block_of(Index block, Index n, Index size) {
  return {block * size, std::min(size, n - block * size)};
}

}  // namespace likewise::engine
