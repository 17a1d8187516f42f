// The fifth slot at work, for each float32 and float64.
#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/propagate.hpp>

#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

/// (values, report, (eigenvalues, residuals, n_components) or None)
template <class T> py::tuple parts_of(Propagated<T> found, const Propagation& how) {
  if (!std::holds_alternative<Spectrum>(how))
    return py::make_tuple(std::move(found.values), found.report, py::none());
  const Eigenpairs<T>& s = found.eigenpairs;
  return py::make_tuple(std::move(found.values), s.report,
                        py::make_tuple(s.values, s.residuals, s.n_components));
}

template <class T> void bind_propagations_of(py::module_& m) {
  m.def(
      "propagate",
      [](const SelfOperator<T>& P, const Values<T>& V, const std::vector<bool>& clamped) {
        return parts_of(
            run_without_gil([&](const Execution& run) { return propagate<T>(P, V, clamped, run); }),
            P.mechanism().propagation);
      },
      py::arg("P"), py::arg("V").noconvert(), py::arg("clamped"));
  m.def(
      "propagate_from",
      [](const Points<T>& X, const SelfOperator<T>& P, const Values<T>& V) {
        return parts_of(
            run_without_gil([&](const Execution& run) { return propagate_from<T>(X, P, V, run); }),
            P.mechanism().propagation);
      },
      py::arg("X").noconvert(), py::arg("P"), py::arg("V").noconvert());
}

}  // namespace

void bind_propagate(py::module_& m) {
  bind_propagations_of<float>(m);
  bind_propagations_of<double>(m);
}

}  // namespace likewise::python
