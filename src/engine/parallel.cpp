#include "engine/parallel.hpp"

#include <omp.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>

#include <likewise/error.hpp>

#include "engine/flush_denormals.hpp"
#include "engine/simd/target.hpp"

namespace likewise::engine {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto poll_interval = std::chrono::milliseconds(50);

// A child forked from a process that has used libgomp hangs in its first parallel region: it runs serially.
const pid_t loaded_in_process = getpid();

// When this thread last asked: across calls, so that many short ones in a row can be stopped too.
thread_local Clock::time_point last_look;

/// Asks the caller's callbacks now and then, from the calling thread only.
class Watch {
 public:
  Watch(const Execution& run, Index n_blocks, const char* what)
      : run_(run), n_blocks_(n_blocks), what_(what) {}

  void look(Index done) {
    const auto now = Clock::now();
    if (now - last_look < poll_interval) return;
    last_look = now;
    if (run_.stop_requested && run_.stop_requested()) throw Interrupted();
    if (run_.progress && now - start_ > poll_interval)
      run_.progress(static_cast<double>(done) / static_cast<double>(n_blocks_), what_);
  }

 private:
  const Execution& run_;
  Index n_blocks_;
  const char* what_;
  Clock::time_point start_ = Clock::now();
};

/// One round of blocks, of which `before` have been done.
void run_blocks(Watch& watch, Index before, Index n_blocks, int threads,
                const std::function<void(Index)>& work) {
  if (threads <= 1) {
    const FlushDenormals flush;
    for (Index block = 0; block < n_blocks; ++block) {
      watch.look(before + block);
      work(block);
    }
    return;
  }
  std::atomic<Index> next{0}, done{0};
  std::atomic<bool> failed{false};
  std::exception_ptr failure;
  std::mutex failure_lock;
#pragma omp parallel num_threads(threads)
  {
    const FlushDenormals flush;
    try {
      for (Index block = next++; block < n_blocks && !failed; block = next++) {
        if (omp_get_thread_num() == 0) watch.look(before + done);
        work(block);
        ++done;
      }
    } catch (...) {
      const std::lock_guard lock(failure_lock);
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

int thread_count(const Execution& run) {
  if (getpid() != loaded_in_process) return 1;
  return run.n_jobs > 0 ? run.n_jobs : omp_get_max_threads();
}

Execution sized(const Execution& run, double operations) {
  constexpr double worth_a_thread = 1e6;  // about a millisecond of one core
  Execution sized = run;
  if (operations < worth_a_thread) sized.n_jobs = 1;
  return sized;
}

void parallel_blocks(Index n_blocks, const Execution& run, const char* what,
                     const std::function<void(Index)>& work) {
  parallel_rounds(1, n_blocks, run, what, [&work](Index, Index block) { work(block); });
}

void parallel_rounds(Index n_rounds, Index n_blocks, const Execution& run, const char* what,
                     const std::function<void(Index, Index)>& work) {
  simd::obey_environment();
  const int threads = static_cast<int>(std::min<Index>(thread_count(run), n_blocks));
  Watch watch(run, n_rounds * n_blocks, what);
  for (Index round = 0; round < n_rounds; ++round)
    run_blocks(watch, round * n_blocks, n_blocks, threads, [&](Index block) { work(round, block); });
}

}  // namespace likewise::engine
