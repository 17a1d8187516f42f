// How a bound function runs long work: the caller's settings, the GIL released, Ctrl-C heard.
#pragma once

#include <likewise/error.hpp>
#include <likewise/execution.hpp>
#include <memory>
#include <type_traits>
#include <utility>

#include "bindings.hpp"
#include "gil.hpp"

namespace likewise::python {

/// The Execution of one call, from `with lw.execution(...)`. Its stop request looks for signals; its progress
/// calls Python. What either raises stops the work and is thrown by rethrow().
class PythonExecution {
 public:
  PythonExecution();  // with the GIL held
  const Execution& settings() const { return settings_; }
  /// Throws the Python exception that stopped the work, if there is one. With the GIL held.
  void rethrow();
  /// Warns of the worst iteration on the way that ended at its step limit, if there is one. With the GIL held.
  void warn() const;

 private:
  struct Unconverged;
  std::shared_ptr<py::object> raised_;  // the pending exception, None without one
  std::shared_ptr<Unconverged> unconverged_;
  Execution settings_;
};

/// work(const Execution&) without the GIL; returns what it returns.
template <class Work> decltype(auto) run_without_gil(Work&& work) {
  PythonExecution execution;
  const auto released = [&]() -> decltype(auto) {
    const WithoutGil without;
    return std::forward<Work>(work)(execution.settings());
  };
  try {
    if constexpr (std::is_void_v<decltype(released())>) {
      released();
      execution.warn();
    } else {
      decltype(auto) result = released();
      execution.warn();
      return result;
    }
  } catch (const Interrupted&) {
    execution.rethrow();
    throw;
  }
}

}  // namespace likewise::python
