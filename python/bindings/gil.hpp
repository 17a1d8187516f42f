// Who holds the interpreter's lock, the GIL, and what becomes of a thread that wants it once the interpreter has ended.
#pragma once

#include <chrono>
#include <thread>
#include <utility>
#if __has_include(<cxxabi.h>)
#include <cxxabi.h>
#endif

#include "bindings.hpp"

namespace likewise::python {

/// Until the process has ended.
[[noreturn]] inline void wait_for_exit() {
  while (true) std::this_thread::sleep_for(std::chrono::hours(1));
}

/// work(), which takes the GIL. While the interpreter ends, Python before 3.14 ends a daemon thread that does so by unwinding
/// its stack. A stack with destructors or a parallel region on it cannot be unwound, and the process would be aborted;
/// so the thread waits here, as Python 3.14 has it wait. `work` must own no Python objects: they would be released
/// on the way here, without the GIL.
template <class Work> decltype(auto) or_wait_for_exit(Work&& work) {
#if defined(__GLIBCXX__)
  try {
    return std::forward<Work>(work)();
  } catch (abi::__forced_unwind&) {
    wait_for_exit();
  }
#else
  return std::forward<Work>(work)();
#endif
}

/// function(*arguments) as Python calls it, with the GIL held.
inline py::object call(const py::object& function, const py::tuple& arguments = py::tuple()) {
  PyObject* found = or_wait_for_exit([&] { return PyObject_Call(function.ptr(), arguments.ptr(), nullptr); });
  if (!found) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(found);
}

/// Lets go of the GIL while it lives.
class WithoutGil {
 public:
  WithoutGil() : is_running_(Py_IsInitialized()), thread_(PyEval_SaveThread()) {}
  ~WithoutGil() {
    if (is_running_ && !Py_IsInitialized()) wait_for_exit();  // the thread's state may be gone
    or_wait_for_exit([this] { PyEval_RestoreThread(thread_); });
  }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  bool is_running_;  // else this is the thread that ends the interpreter
  PyThreadState* thread_;
};

/// Holds the GIL while it lives, on whatever thread.
class WithGil {
 public:
  WithGil() {
    if (!Py_IsInitialized() && !PyGILState_GetThisThreadState()) wait_for_exit();
    earlier_ = or_wait_for_exit([] { return PyGILState_Ensure(); });
  }
  ~WithGil() { PyGILState_Release(earlier_); }
  WithGil(const WithGil&) = delete;
  WithGil& operator=(const WithGil&) = delete;

 private:
  PyGILState_STATE earlier_;
};

}  // namespace likewise::python
