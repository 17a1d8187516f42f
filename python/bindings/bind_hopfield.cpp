// Hopfield memories: retrieval and energies.
#include <pybind11/eigen.h>

#include <likewise/algorithms/hopfield_memory.hpp>

#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> void bind_retrieval(py::module_& m) {
  m.def(
      "fit_hopfield_memory",
      [](const Points<T>& patterns, const Metric& metric, double temperature, int max_iter, double tol) {
        return fit_hopfield_memory<T>(patterns, {metric, temperature, max_iter, tol}).keyed;
      },
      py::arg("patterns").noconvert(), py::arg("metric"), py::arg("temperature"), py::arg("max_iter"),
      py::arg("tol"), "The mechanism with the patterns as keys, all parameters checked");
  m.def(
      "hopfield_retrieve",
      [](const Points<T>& queries, const KeyedMechanism<T>& keyed, int max_iter, double tol) {
        Retrieval<T> found = run_without_gil([&](const Execution& run) {
          return HopfieldMemory<T>{keyed, max_iter, tol}.retrieve(queries, run);
        });
        return py::make_tuple(std::move(found.states), std::move(found.energies), found.report);
      },
      py::arg("queries").noconvert(), py::arg("keyed"), py::arg("max_iter"), py::arg("tol"),
      "(states, energies (n_iter + 1, n_queries), report)");
  m.def(
      "hopfield_energy",
      [](const Points<T>& queries, const KeyedMechanism<T>& keyed) {
        return run_without_gil(
            [&](const Execution& run) { return HopfieldMemory<T>{keyed}.energy(queries, run); });
      },
      py::arg("queries").noconvert(), py::arg("keyed"));
}

}  // namespace

void bind_hopfield(py::module_& m) {
  bind_retrieval<float>(m);
  bind_retrieval<double>(m);
}

}  // namespace likewise::python
