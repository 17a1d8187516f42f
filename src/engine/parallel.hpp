// Work over a fixed number of blocks, spread over threads; results never depend on how many.
#pragma once

#include <algorithm>
#include <functional>

#include <likewise/execution.hpp>
#include <likewise/types.hpp>

#include "engine/terms/block.hpp"

namespace likewise::engine {

/// The threads that a call under `run` may use: n_jobs, else OMP_NUM_THREADS, else all cores; 1 after a fork.
int thread_count(const Execution& run);

/// `run` with one thread where `operations` are too few for the start of a thread to pay.
Execution sized(const Execution& run, double operations);

/// Calls work(block) once for every block in [0, n_blocks), in any order. The calling thread reports progress
/// as `what` and asks for a stop; the first exception of any block ends the work and is thrown here.
void parallel_blocks(Index n_blocks, const Execution& run, const char* what,
                     const std::function<void(Index)>& work);

/// Calls work(i, run) once for every i in [0, n): over threads, one each, where the tasks are enough for them, else one after
/// the other, each with all threads. Never nested.
void parallel_tasks(Index n, const Execution& run, const char* what,
                    const std::function<void(Index, const Execution&)>& work);

/// What a block of a round works on: nobody else may at the same time. Both can be the same.
struct Items {
  Index first, second;
};

/// Who meets in block i of a round of a tournament of n items, n odd: r + i and r - i (mod n), so that of n rounds of n / 2 + 1
/// blocks each holds everybody once, and every pair meets once; i = 0 is an item by itself.
inline Items meeting_of(Index n_items, Index round, Index block) {
  const Index a = (round + block) % n_items, b = (round - block + n_items) % n_items;
  return {std::min(a, b), std::max(a, b)};
}

/// The same for tournaments: in each round every one of `n_items` items is held by exactly one block. A block begins when its
/// own items are done with the rounds before, so each item's turns keep the order of rounds and no thread waits for a
/// whole round.
void parallel_rounds(Index n_rounds, Index n_blocks, Index n_items, const Execution& run, const char* what,
                     const std::function<Items(Index round, Index block)>& items,
                     const std::function<void(Index round, Index block)>& work);

}  // namespace likewise::engine
