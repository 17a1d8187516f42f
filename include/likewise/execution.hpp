// How long work is run: threads, memory, progress, stopping.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace likewise {

/// How an iteration ended. Every iterative method returns one.
struct IterationReport {
  int n_iter = 0;
  double residual = 0;  ///< in the iteration's own measure, stated where it is returned
  bool converged = true;
  std::string solver = {};

  bool operator==(const IterationReport&) const = default;
};

/// Accepted by everything that can take long. Results do not depend on `n_jobs`.
struct Execution {
  /// Threads; 0 means OMP_NUM_THREADS, else all cores. A forked child of a threaded process runs serially.
  int n_jobs = 0;
  /// Bytes that one call may allocate beyond its inputs and outputs; 0 means the memory now available. Without a limit of
  /// yours 16 MiB are granted unasked.
  std::size_t memory_limit = 0;
  /// Called from the calling thread with the finished fraction in [0, 1] and what is being done. A call ends with 1, once,
  /// unless it throws; before, each of its parts begins anew.
  std::function<void(double, const char*)> progress = {};
  /// Asked a few times a second from the calling thread; true stops the work with `Interrupted`.
  std::function<bool()> stop_requested = {};

  /// Told of an iteration on a call's way (Sinkhorn scalings of an operator) that ended at its step limit; nothing else says so
  /// where the operator stays inside. From any thread of the call.
  std::function<void(const IterationReport&)> not_converged = {};

  /// The memory limit in bytes, with 0 replaced by what the system has available.
  std::size_t memory_allowed() const;
  /// Throws MemoryLimitError: "`what` needs 74.5 GiB (`details`), limit 8 GiB; `way_out` or raise
  /// memory_limit." E.g. what "the matrix itself", way_out "multiply with the operator instead", details "100000 x
  /// 100000 float64".
  void require_memory(double bytes, const std::string& what, const std::string& way_out,
                      const std::string& details = {}) const;
};

}  // namespace likewise
