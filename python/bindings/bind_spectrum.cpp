// Eigenpairs of self-operators.
#include <pybind11/eigen.h>

#include <likewise/spectrum.hpp>

#include "arrays.hpp"
#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

/// (values (k,), vectors (n, k), residuals (k,), n_components, report)
template <class T> void bind_largest_eigenpairs(py::module_& m) {
  m.def(
      "largest_eigenpairs",
      [](const SelfOperator<T>& P, Index k, double tol, int max_iter, const std::string& solver) {
        const Eigenpairs<T> found = run_without_gil([&](const Execution& run) {
          return largest_eigenpairs(P, k, {.tol = tol, .max_iter = max_iter, .solver = solver}, run);
        });
        return py::make_tuple(found.values, found.vectors, found.residuals, found.n_components, found.report);
      },
      py::arg("P"), py::arg("k"), py::arg("tol"), py::arg("max_iter"), py::arg("solver"));
}

}  // namespace

void bind_spectrum(py::module_& m) {
  bind_largest_eigenpairs<float>(m);
  bind_largest_eigenpairs<double>(m);
  m.def(
      "connected_components",
      [](const py::object& graph) {
        const auto edges = FieldType<Shared<SparseMatrix<double>>>::from("graph", graph);
        return moved(connected_components(*edges));
      },
      py::arg("graph"), "Component number of each point in the undirected graph of the stored entries.");
}

}  // namespace likewise::python
