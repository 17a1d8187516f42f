// A call that somebody watches: many pieces of work, one end.
#pragma once

#include <exception>

#include <likewise/execution.hpp>

namespace likewise::engine {

/// Stands at the beginning of each public function. The caller's progress ends at 1, once, with the outermost call of its
/// thread, however many pieces of work and calls that is made of, and however small they are. Not after an exception.
class Call {
 public:
  explicit Call(const Execution& run);
  ~Call() noexcept(false);  // what the caller's progress throws is the caller's
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

 private:
  const Execution* watched_;  // none without progress
  bool outermost_;
  int exceptions_ = std::uncaught_exceptions();
};

/// The callbacks of the outermost call that this thread is in, none outside of calls. For work that waits until it is asked
/// for: who made it has returned, and who asks must be able to stop it.
Execution of_this_call(int n_jobs);

/// Tells the caller, if anybody listens, that this fraction of `what` is done; below 1, which is the end of the call.
void report(const Execution& run, double fraction, const char* what);

}  // namespace likewise::engine
