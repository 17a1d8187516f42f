// The loss of a metric and its derivative, for an optimizer in Python.
#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/algorithms/metric_learning.hpp>

#include "bindings.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> void bind_metric_loss(py::module_& m) {
  m.def(
      "metric_loss",
      [](const Points<T>& X, const Values<T>& Y, const Matrix<double>& factor, const std::string& loss,
         double temperature, Index n_queries) {
        MetricLoss found = run_without_gil([&](const Execution& run) {
          return metric_loss<T>(X, Y, factor, {loss, temperature, n_queries}, run);
        });
        return py::make_tuple(found.value, std::move(found.factor), found.temperature);
      },
      py::arg("X").noconvert(), py::arg("Y").noconvert(), py::arg("factor"), py::arg("loss"),
      py::arg("temperature"), py::arg("n_queries") = 0, "(L, dL/dW, dL/dt)");
  m.def(
      "map_loss",
      [](const Points<T>& X, const Values<T>& Y, const PointMap& map, const std::string& loss,
         double temperature, Index n_queries) {
        MapLoss found = run_without_gil([&](const Execution& run) {
          return metric_loss<T>(X, Y, map, {loss, temperature, n_queries}, run);
        });
        return py::make_tuple(found.value, std::move(found.parameters), found.temperature);
      },
      py::arg("X").noconvert(), py::arg("Y").noconvert(), py::arg("map"), py::arg("loss"),
      py::arg("temperature"), py::arg("n_queries") = 0, "(L, dL/dparameters by name, dL/dt)");
}

}  // namespace

void bind_metric_learning(py::module_& m) {
  bind_metric_loss<float>(m);
  bind_metric_loss<double>(m);
}

}  // namespace likewise::python
