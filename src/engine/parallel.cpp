#include "engine/parallel.hpp"

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <likewise/error.hpp>

#include "engine/call.hpp"
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
    if (now - start_ > poll_interval)
      report(run_, static_cast<double>(done) / static_cast<double>(n_blocks_), what_);
  }

 private:
  const Execution& run_;
  Index n_blocks_;
  const char* what_;
  Clock::time_point start_ = Clock::now();
};

/// Blocks in order, each by whichever thread is free. work(block, failed) may wait for earlier blocks unless one failed.
void run_blocks(Index n_blocks, const Execution& run, const char* what,
                const std::function<void(Index, const std::atomic<bool>& failed)>& work) {
  simd::obey_environment();
  const int threads = static_cast<int>(std::min<Index>(thread_count(run), n_blocks));
  Watch watch(run, n_blocks, what);
  std::atomic<bool> failed{false};
  if (threads <= 1) {
    const FlushDenormals flush;
    for (Index block = 0; block < n_blocks; ++block) {
      watch.look(block);
      work(block, failed);
    }
    return;
  }
  std::atomic<Index> next{0}, done{0};
  std::exception_ptr failure;
  std::mutex failure_lock;
#pragma omp parallel num_threads(threads)
  {
    const FlushDenormals flush;
    try {
      for (Index block = next++; block < n_blocks && !failed; block = next++) {
        if (omp_get_thread_num() == 0) watch.look(done);
        work(block, failed);
        ++done;
      }
      // Others may be at long blocks still: who called goes on asking for them.
      while (omp_get_thread_num() == 0 && done < n_blocks && !failed) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        watch.look(done);
      }
    } catch (...) {
      const std::lock_guard lock(failure_lock);
      if (!failed.exchange(true)) failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

/// One of n tasks, of a call that `caller` makes.
struct Task {
  const Execution& run;
  Index at, n;
  std::thread::id caller;
  const std::atomic<bool>& failed;
};

/// How one task is run: on the calling thread it asks and tells the caller as the whole does, on others it ends when the whole
/// has failed. What it captures is one reference, so that nothing is allocated for a short task.
Execution inside_of(const Task& task) {
  const Execution& run = task.run;
  Execution inside{.n_jobs = 1, .memory_limit = run.memory_limit};
  if (run.not_converged)
    inside.not_converged = [&task](const IterationReport& report) { task.run.not_converged(report); };
  if (std::this_thread::get_id() != task.caller) {
    inside.stop_requested = [&task] { return task.failed.load(); };
    return inside;
  }
  if (run.stop_requested) inside.stop_requested = [&task] { return task.run.stop_requested(); };
  if (run.progress)
    inside.progress = [&task](double fraction, const char* what) {
      task.run.progress((static_cast<double>(task.at) + fraction) / static_cast<double>(task.n), what);
    };
  return inside;
}

/// The rounds that each item has been through.
class Turns {
 public:
  explicit Turns(Index n_items) : done_(static_cast<std::size_t>(n_items)) {}

  /// False where the work has failed meanwhile. Blocks are long and neighbors in time seldom meet, so waiting is rare.
  bool wait(Index item, Index round, const std::atomic<bool>& failed) const {
    while (at(item).load(std::memory_order_acquire) < round) {
      if (failed) return false;
      std::this_thread::yield();
    }
    return true;
  }
  void finish(Index item, Index round) { at(item).store(round + 1, std::memory_order_release); }

 private:
  std::atomic<Index>& at(Index item) { return done_[static_cast<std::size_t>(item)]; }
  const std::atomic<Index>& at(Index item) const { return done_[static_cast<std::size_t>(item)]; }
  std::vector<std::atomic<Index>> done_;
};

}  // namespace

int thread_count(const Execution& run) {
  require(run.n_jobs >= 0, "n_jobs", "a number of threads, or 0 for OMP_NUM_THREADS, else all cores",
          run.n_jobs);
  if (getpid() != loaded_in_process) return 1;
  if (run.n_jobs == 0) return omp_get_max_threads();
  constexpr int many = 1024;  // where the system refuses a thread the runtime ends the process
  if (run.n_jobs <= many) return run.n_jobs;  // without asking the system, which every small loop would do
  return std::min(run.n_jobs, std::max(many, omp_get_num_procs()));
}

Execution sized(const Execution& run, double operations) {
  constexpr double worth_a_thread = 1e6;  // about a millisecond of one core
  Execution sized = run;
  if (operations < worth_a_thread && run.n_jobs >= 0)
    sized.n_jobs = 1;  // below 0 it is refused, however small the work
  return sized;
}

void parallel_blocks(Index n_blocks, const Execution& run, const char* what,
                     const std::function<void(Index)>& work) {
  run_blocks(n_blocks, run, what, [&work](Index block, const std::atomic<bool>&) { work(block); });
}

void parallel_tasks(Index n, const Execution& run, const char* what,
                    const std::function<void(Index, const Execution&)>& work) {
  if (n >= thread_count(run)) {
    const std::thread::id caller = std::this_thread::get_id();
    run_blocks(n, run, what, [&](Index i, const std::atomic<bool>& failed) {
      const Task task{run, i, n, caller, failed};
      work(i, inside_of(task));
    });
  } else {
    for (Index i = 0; i < n; ++i) work(i, run);
  }
}

void parallel_rounds(Index n_rounds, Index n_blocks, Index n_items, const Execution& run, const char* what,
                     const std::function<Items(Index, Index)>& items,
                     const std::function<void(Index, Index)>& work) {
  Turns turns(n_items);
  run_blocks(n_rounds * n_blocks, run, what, [&](Index at, const std::atomic<bool>& failed) {
    const Index round = at / n_blocks, block = at % n_blocks;
    const Items held = items(round, block);
    if (!turns.wait(held.first, round, failed) || !turns.wait(held.second, round, failed)) return;
    work(round, block);
    turns.finish(held.first, round);
    turns.finish(held.second, round);
  });
}

}  // namespace likewise::engine
