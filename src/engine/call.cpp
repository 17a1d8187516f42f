#include "engine/call.hpp"

#include <algorithm>

namespace likewise::engine {
namespace {

thread_local int open_calls = 0;  // with progress
thread_local const Execution* outermost_run = nullptr;
thread_local const char* last_work = "done";

constexpr double almost = 0.999;  // until the call has ended

}  // namespace

Call::Call(const Execution& run)
    : watched_(run.progress ? &run : nullptr), outermost_(outermost_run == nullptr) {
  if (outermost_) outermost_run = &run;
  if (watched_ && open_calls++ == 0) last_work = "done";
}

Call::~Call() noexcept(false) {
  if (outermost_) outermost_run = nullptr;
  if (!watched_ || --open_calls > 0 || std::uncaught_exceptions() > exceptions_) return;
  watched_->progress(1.0, last_work);
}

Execution of_this_call(int n_jobs) {
  Execution run = outermost_run ? *outermost_run : Execution{};
  run.n_jobs = n_jobs;
  return run;
}

void report(const Execution& run, double fraction, const char* what) {
  if (!run.progress) return;
  last_work = what;
  run.progress(std::min(fraction, almost), what);
}

}  // namespace likewise::engine
