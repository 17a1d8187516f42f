// Fixed points of propagation.
#include <pybind11/eigen.h>

#include <likewise/equilibrium.hpp>

#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

/// (values (n, c), report, unreached (n,))
template <class T> py::tuple as_tuple(const SteadyValues<T>& found) {
  const Index n = found.values.rows();
  py::array_t<bool> unreached(n);
  for (Index i = 0; i < n; ++i)
    unreached.mutable_at(i) = !found.unreached.empty() && found.unreached[static_cast<std::size_t>(i)];
  return py::make_tuple(found.values, found.report, unreached);
}

template <class T> void bind_equilibria(py::module_& m) {
  m.def(
      "clamped_equilibrium",
      [](const SelfOperator<T>& P, const Values<T>& V, const std::vector<bool>& clamped,
         const std::string& solver, double tol, int max_iter) {
        return as_tuple(run_without_gil([&](const Execution& run) {
          return clamped_equilibrium(P, V, clamped, {solver, tol, max_iter}, run);
        }));
      },
      py::arg("P"), py::arg("V").noconvert(), py::arg("clamped"), py::arg("solver"), py::arg("tol"),
      py::arg("max_iter"));
  m.def(
      "soft_equilibrium",
      [](const SelfOperator<T>& P, const Values<T>& V, double alpha, const std::string& solver, double tol,
         int max_iter) {
        return as_tuple(run_without_gil([&](const Execution& run) {
          return soft_equilibrium(P, V, alpha, {solver, tol, max_iter}, run);
        }));
      },
      py::arg("P"), py::arg("V").noconvert(), py::arg("alpha"), py::arg("solver"), py::arg("tol"),
      py::arg("max_iter"));
}

}  // namespace

void bind_equilibrium(py::module_& m) {
  bind_equilibria<float>(m);
  bind_equilibria<double>(m);
}

}  // namespace likewise::python
