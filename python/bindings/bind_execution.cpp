#include <pybind11/operators.h>

#include <pybind11/stl.h>

#include <mutex>

#include <likewise/execution.hpp>
#include <likewise/simd_target.hpp>

#include "bind_value.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

// The exception that Python has set, as an object that can be raised later.
py::object take_exception() { return py::error_already_set().value(); }

}  // namespace

/// Threads report without the GIL.
struct PythonExecution::Unconverged {
  std::mutex lock;
  IterationReport worst;
};

PythonExecution::PythonExecution()
    : raised_(std::make_shared<py::object>(py::none())), unconverged_(std::make_shared<Unconverged>()) {
  settings_.not_converged = [unconverged = unconverged_](const IterationReport& report) {
    const std::lock_guard guard(unconverged->lock);
    if (unconverged->worst.converged || !(report.residual <= unconverged->worst.residual))
      unconverged->worst = report;
  };
  const py::tuple current = call(py::module_::import("likewise._execution").attr("current"));
  // Once the interpreter ends, other threads than this one get the GIL no more.
  settings_.n_jobs = Py_IsInitialized() ? current[0].cast<int>() : 1;
  settings_.memory_limit = current[1].cast<std::size_t>();
  settings_.stop_requested = [raised = raised_] {
    const WithGil gil;
    if (raised->is_none() && PyErr_CheckSignals() != 0) *raised = take_exception();
    return !raised->is_none();
  };
  if (const py::object progress = current[2]; !progress.is_none())
    settings_.progress = [raised = raised_, progress](double fraction, const char* what) {
      const WithGil gil;
      try {
        if (raised->is_none()) call(progress, py::make_tuple(fraction, what));
      } catch (py::error_already_set& error) {
        *raised = error.value();
      }
      // Nobody asks stop_requested after the end.
      if (fraction >= 1 && !raised->is_none()) throw Interrupted();
    };
}

void PythonExecution::rethrow() {
  if (raised_->is_none()) return;
  PyErr_SetObject(py::type::handle_of(*raised_).ptr(), raised_->ptr());
  throw py::error_already_set();
}

void PythonExecution::warn() const {
  if (unconverged_->worst.converged) return;
  py::module_::import("likewise._errors")
      .attr("warn_unless_converged")(unconverged_->worst, unconverged_->worst.n_iter);
}

void bind_execution(py::module_& m) {
  m.def("simd_target", &simd_target, R"(The instruction set that the engine runs on.

"AMX" (AVX-512, and tiles for products of floats), "AVX3" (AVX-512), "AVX2", "NEON", ..., "SCALAR": the best that this
machine has, unless the environment variable LIKEWISE_SIMD, read when the engine is first used, names another.)");
  m.def("simd_targets", &simd_targets, "Those that can run here, the best first.");
  py::class_<IterationReport> report(m, "IterationReport", R"(How an iteration ended.

n_iter : int, steps; residual : float, in the iteration's own measure; converged : bool; solver : str)");
  report.def_readonly("n_iter", &IterationReport::n_iter);
  report.def_readonly("residual", &IterationReport::residual);
  report.def_readonly("converged", &IterationReport::converged);
  report.def_readonly("solver", &IterationReport::solver);
  report.def(py::self == py::self);
  report.def("__repr__", [](const IterationReport& r) {
    return py::str("IterationReport(n_iter={}, residual={!r}, converged={}, solver={!r})")
        .format(r.n_iter, r.residual, r.converged, r.solver);
  });
  report.def(py::pickle(
      [](const IterationReport& r) { return py::make_tuple(r.n_iter, r.residual, r.converged, r.solver); },
      [](const py::tuple& t) {
        return IterationReport{t[0].cast<int>(), t[1].cast<double>(), t[2].cast<bool>(),
                               t[3].cast<std::string>()};
      }));
}

}  // namespace likewise::python
