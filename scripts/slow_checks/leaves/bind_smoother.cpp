// The toy method.
#include <pybind11/eigen.h>

#include <likewise/algorithms/smoother.hpp>

#include "arrays.hpp"
#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> void bind(py::module_& m) {
  m.def(
      "smooth",
      [](const Mechanism& mechanism, const Points<T>& X, const Values<T>& Y) {
        return run_without_gil([&](const Execution& run) { return smooth<T>(mechanism, X, Y, run); });
      },
      py::arg("mechanism"), py::arg("X").noconvert(), py::arg("Y").noconvert());
}

}  // namespace

void bind_smoother(py::module_& m) {
  bind<float>(m);
  bind<double>(m);
}

}  // namespace likewise::python
