// How a bound function runs long work: the caller's settings, the GIL released, Ctrl-C heard.
#pragma once

#include <likewise/error.hpp>
#include <likewise/execution.hpp>
#include <memory>
#include <utility>

#include "bindings.hpp"

namespace likewise::python {

/// The Execution of one call, from `with lw.execution(...)`. Its stop request looks for signals; its progress
/// calls Python. What either raises stops the work and is thrown by rethrow().
class PythonExecution {
 public:
  PythonExecution();  // with the GIL held
  const Execution& settings() const { return settings_; }
  /// Throws the Python exception that stopped the work, if there is one. With the GIL held.
  void rethrow();

 private:
  std::shared_ptr<py::object> raised_;  // the pending exception, None without one
  Execution settings_;
};

/// work(const Execution&) without the GIL; returns what it returns.
template <class Work> decltype(auto) run_without_gil(Work&& work) {
  PythonExecution execution;
  try {
    const py::gil_scoped_release released;
    return std::forward<Work>(work)(execution.settings());
  } catch (const Interrupted&) {
    execution.rethrow();
    throw;
  }
}

}  // namespace likewise::python
